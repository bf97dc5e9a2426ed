import { del, type Endpoint, get, group, patch, post } from './endpoint.ts';
import { checkKnowledge } from './knowledge-limits.ts';

type Verbs<V extends string> = Readonly<Record<V, Endpoint>>;

/** Every endpoint by group and verb. The client, the shell and its help are made from it. */
export type EndpointTable = {
  readonly voiceAgents: Verbs<'create' | 'list' | 'get' | 'update' | 'clone' | 'call'>;
  readonly phoneNumbers: Verbs<'list' | 'add' | 'delete' | 'assign' | 'unassign' | 'call'>;
  readonly knowledgeBase: Verbs<'create' | 'list' | 'get' | 'update' | 'delete' | 'addUrl' | 'toggleActivation'>;
  readonly webTools: Verbs<'create' | 'list' | 'update' | 'test' | 'toggleActivation'>;
  readonly campaigns: Verbs<'create' | 'list' | 'get' | 'update' | 'pause' | 'resume' | 'cancel' | 'retry'>;
  readonly conversations: Verbs<'list' | 'get' | 'joinCall'>;
  readonly jobs: Verbs<'transcribe' | 'textToSpeech' | 'aiContent' | 'get' | 'list'>;
  readonly realtime: Verbs<'tts' | 'ttsStream' | 'stt'>;
  /** Not in the platform's guide: what its reference and other integrations know besides. */
  readonly extras: Verbs<
    | 'voices'
    | 'preloadVoice'
    | 'listPhoneNumbers'
    | 'assignTwilioNumber'
    | 'callTwilioNumber'
    | 'createWebTool'
    | 'listWebTools'
    | 'getWebTool'
    | 'updateWebTool'
    | 'createVoiceDictionary'
    | 'updateVoiceDictionary'
    | 'analyticsOverview'
    | 'analyticsPerformance'
    | 'analyticsSatisfaction'
    | 'project'
    | 'statisticsChart'
    | 'statisticsNumbers'
    | 'getAiContent'
    | 'customAiContent'
    | 'estimateAiContent'
  >;
};

const PAGE = { page: 'number', limit: 'number' } as const;
const AGENT = {
  name: 'text',
  preamble: 'text',
  greeting: 'text',
  language: 'text',
  voiceId: 'text',
  webhookUrl: 'text',
  webhookAuth: 'json',
  params: 'json',
} as const;
const CALL = { voiceAgentId: 'text', phoneNumberId: 'text', toNumber: 'text', params: 'json' } as const;
const ASSIGNMENT = { phoneNumberId: 'text', voiceAgentId: 'text' } as const;
const KNOWLEDGE = { type: 'text', name: 'text', content: 'text', url: 'text', urls: 'list' } as const;
const ACTIVATION = { id: 'text', isActive: 'flag' } as const;
const WEB_TOOL = {
  name: 'text',
  description: 'text',
  url: 'text',
  method: 'text',
  headers: 'json',
  parameters: 'json',
} as const;
const CAMPAIGN = { name: 'text', voiceAgentId: 'text', phoneNumberId: 'text', contacts: 'json' } as const;
const AI_CONTENT = { mediaUrl: 'text', text: 'text', parts: 'list' } as const;
const SPEECH = {
  text: 'text',
  voiceId: 'text',
  speaker: 'text',
  dialect: 'text',
  speed: 'number',
  pitch: 'number',
  sampleRate: 'text',
  mulaw: 'flag',
} as const;
const PERIOD = { voiceAgentId: 'text', startDate: 'text', endDate: 'text' } as const;

/** Half an hour at 16 kHz. A text of 2,000 characters, the platform's limit, takes two to four minutes. */
const MAX_SPEECH_BYTES = 64 * 1_048_576;
/** Nine hours at 16 kHz. */
const MAX_LISTENING_BYTES = 1_073_741_824;

const AGENTS = '/v1/voice-agents';
const NUMBERS = `${AGENTS}/phone-number`;
const KNOWLEDGE_BASE = `${AGENTS}/knowledge-base`;
const CAMPAIGNS = `${AGENTS}/campaigns`;

export const ENDPOINTS: EndpointTable = {
  voiceAgents: group('voiceAgents', {
    create: post('once', '/v2/voice-agents', 'Create a voice agent.', AGENT),
    list: get('/v2/voice-agents', 'List the voice agents.', PAGE),
    get: get('/v2/voice-agents/{id}', 'Show a voice agent.'),
    update: patch('/v2/voice-agents/{id}', 'Change a voice agent.', AGENT),
    clone: post(
      'once',
      `${AGENTS}/clone`,
      'Copy a voice agent.',
      { voiceAgentId: 'text', name: 'text' },
      {
        idInBody: ['voiceAgentId'],
      },
    ),
    call: post('once', `${AGENTS}/call`, 'Let a voice agent call a number.', CALL, { idInBody: ['voiceAgentId'] }),
  }),
  phoneNumbers: group('phoneNumbers', {
    list: get(NUMBERS, 'List the phone numbers.', PAGE),
    add: post('once', NUMBERS, 'Add a phone number.', { number: 'text', label: 'text' }),
    delete: del(NUMBERS, 'Delete a phone number.', { idInQuery: 'id' }),
    assign: post('repeatable', `${AGENTS}/assign-number`, 'Give a phone number to a voice agent.', ASSIGNMENT, {
      idInBody: ['phoneNumberId'],
    }),
    unassign: post('repeatable', `${AGENTS}/unassign`, 'Take a phone number from its voice agent.', ASSIGNMENT, {
      idInBody: ['phoneNumberId'],
    }),
    call: post('once', `${NUMBERS}/call`, 'Call a number from a phone number.', CALL, { idInBody: ['phoneNumberId'] }),
  }),
  knowledgeBase: group('knowledgeBase', {
    create: post('once', KNOWLEDGE_BASE, 'Create an item: TEXT, FILE or URL.', KNOWLEDGE, { check: checkKnowledge }),
    list: get(`${KNOWLEDGE_BASE}/list`, 'List the items.', PAGE),
    get: get(`${KNOWLEDGE_BASE}/{id}`, 'Show an item.'),
    update: patch(`${KNOWLEDGE_BASE}/{id}`, 'Change an item.', KNOWLEDGE, { check: checkKnowledge }),
    delete: del(`${KNOWLEDGE_BASE}/{id}`, 'Delete an item.'),
    addUrl: post(
      'once',
      `${KNOWLEDGE_BASE}/{id}/url`,
      'Add a web page, or several, to an item.',
      { url: 'text', urls: 'list' },
      { check: checkKnowledge },
    ),
    toggleActivation: post(
      'repeatable',
      `${KNOWLEDGE_BASE}/toggle-activation`,
      'Activate or deactivate an item.',
      ACTIVATION,
      { idInBody: ['id'] },
    ),
  }),
  webTools: group('webTools', {
    create: post('once', '/v2/web-tool', 'Create a web tool.', WEB_TOOL),
    list: get('/v2/web-tool/list', 'List the web tools.', PAGE),
    update: patch('/v2/web-tool/{id}', 'Change a web tool.', WEB_TOOL),
    test: post(
      'once',
      `${AGENTS}/web-tool/test-api-tool`,
      'Let the platform call a web tool, stored (by its id) or not.',
      { id: 'text', ...WEB_TOOL, params: 'json' },
      { idInBody: ['id'] },
    ),
    toggleActivation: post(
      'repeatable',
      `${AGENTS}/web-tool/toggle-activation`,
      'Activate or deactivate a web tool.',
      ACTIVATION,
      { idInBody: ['id'] },
    ),
  }),
  campaigns: group('campaigns', {
    create: post('once', CAMPAIGNS, 'Create a campaign, which calls its contacts.', CAMPAIGN),
    list: get(CAMPAIGNS, 'List the campaigns.', PAGE),
    get: get(`${CAMPAIGNS}/{id}`, 'Show a campaign.'),
    update: patch(`${CAMPAIGNS}/{id}`, 'Change a campaign.', CAMPAIGN),
    pause: post('repeatable', `${CAMPAIGNS}/{id}/pause`, 'Pause a campaign.'),
    resume: post('repeatable', `${CAMPAIGNS}/{id}/resume`, 'Resume a campaign.'),
    cancel: post('repeatable', `${CAMPAIGNS}/{id}/cancel`, 'Cancel a campaign.'),
    retry: post('repeatable', `${CAMPAIGNS}/{id}/retry`, 'Call the contacts again that could not be reached.'),
  }),
  conversations: group('conversations', {
    list: post('read', `${AGENTS}/conversations/list`, 'List calls.', {
      ...PAGE,
      voiceAgentId: 'text',
      status: 'text',
    }),
    get: get(`${AGENTS}/conversation/{id}`, 'Show a call with its transcript.'),
    // The guide names no field. Public integrations send `jobId`, which is what a conversation's id is.
    joinCall: post(
      'repeatable',
      `${AGENTS}/join-call`,
      'Listen to a call that is up.',
      {},
      {
        idInBody: ['conversationId', 'jobId'],
        maxAudioBytes: MAX_LISTENING_BYTES,
      },
    ),
  }),
  jobs: group('jobs', {
    transcribe: post('once', '/v1/jobs/transcribe', 'Transcribe audio or video.', {
      mediaUrl: 'text',
      model: 'text',
      language: 'text',
      webhookUrl: 'text',
    }),
    textToSpeech: post('once', '/v1/jobs/text-to-speech', 'Make speech of a text.', { text: 'text', voiceId: 'text' }),
    aiContent: post('once', '/v1/jobs/ai-content', 'Make documents of media or a text.', AI_CONTENT),
    get: get('/v1/jobs', 'Show a job.', {}, { idInQuery: 'jobId' }),
    list: post('read', '/v1/jobs/all', 'List the jobs.', { ...PAGE, status: 'text' }),
  }),
  realtime: group('realtime', {
    tts: post('read', '/v1/realtime/tts', 'Speak a text, as one file.', SPEECH, { maxAudioBytes: MAX_SPEECH_BYTES }),
    ttsStream: post('read', '/v1/realtime/tts-stream', 'Speak a text, as it is made.', SPEECH, {
      maxAudioBytes: MAX_SPEECH_BYTES,
    }),
    stt: post('read', '/v1/realtime/stt', 'Transcribe one utterance, a WAV file.', {
      audioBase64: 'base64',
      language: 'text',
      model: 'text',
      isEosEnabled: 'flag',
      eosThreshold: 'number',
    }),
  }),
  extras: group('extras', {
    voices: get('/v2/tts/voices/catalog', 'List the voices.', PAGE),
    preloadVoice: post(
      'repeatable',
      '/v2/tts/voices/custom/preload',
      'Load a cloned voice, which it needs before it speaks.',
      { voiceId: 'text' },
      { idInBody: ['voiceId'] },
    ),
    listPhoneNumbers: get(`${NUMBERS}/list`, 'List the phone numbers.', PAGE),
    assignTwilioNumber: post('repeatable', `${AGENTS}/twilio/assign-number`, 'Give a Twilio number to a voice agent.', {
      number: 'text',
      ...ASSIGNMENT,
    }),
    callTwilioNumber: post('once', `${AGENTS}/twilio/call`, 'Call a number over Twilio.', CALL),
    createWebTool: post('once', `/v2/voice-agents/web-tool`, 'Create a web tool.', WEB_TOOL),
    listWebTools: get('/v2/voice-agents/web-tool/list', 'List the web tools.', PAGE),
    getWebTool: get('/v2/voice-agents/web-tool/{id}', 'Show a web tool.'),
    updateWebTool: patch('/v2/voice-agents/web-tool/{id}', 'Change a web tool.', WEB_TOOL),
    createVoiceDictionary: post('once', `${AGENTS}/voice-dictionaries`, 'Create a dictionary of pronunciations.', {
      name: 'text',
      words: 'json',
    }),
    updateVoiceDictionary: patch(`${AGENTS}/voice-dictionaries/{id}`, 'Change a dictionary of pronunciations.', {
      name: 'text',
      words: 'json',
    }),
    analyticsOverview: get('/v1/agent-analytics/overview', 'How the voice agents did.', PERIOD),
    analyticsPerformance: get('/v1/agent-analytics/performance', 'How fast and how well they answered.', PERIOD),
    analyticsSatisfaction: get('/v1/agent-analytics/satisfaction', 'How content the callers were.', PERIOD),
    project: get('/v1/projects/by-api-key', 'Show the project of the key.'),
    statisticsChart: get('/v1/projects/statistics/chart', 'Usage over time.', PERIOD),
    statisticsNumbers: get('/v1/projects/statistics/numbers', 'Usage in numbers.', PERIOD),
    getAiContent: get('/v1/jobs/ai-content', 'Show the documents of a job.', {}, { idInQuery: 'jobId' }),
    customAiContent: post('once', '/v1/jobs/ai-content/custom', 'Make documents by a prompt of your own.', {
      ...AI_CONTENT,
      prompt: 'text',
    }),
    estimateAiContent: get('/v1/jobs/ai-content/estimate', 'What documents would cost.', AI_CONTENT),
  }),
};

/** All rows. */
export const ALL_ENDPOINTS: readonly Endpoint[] = Object.values(ENDPOINTS).flatMap((verbs): Endpoint[] =>
  Object.values(verbs),
);
