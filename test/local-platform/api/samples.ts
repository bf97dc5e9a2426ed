import type { Input } from '../../../src/platform/rest/request.ts';
import { SENTENCES, wav16 } from '../sound.ts';

/** One call of an endpoint. `makes` names what it creates; `@NAME` stands for the id of that in later ones. */
export type Sample = Input & { readonly makes?: string };

/** A call of every endpoint, in an order in which each finds what it needs. `@receiver` is the URL of some server. */
export const SAMPLES: Readonly<Record<string, Sample>> = {
  'voiceAgents.create': { body: { name: 'A', webhookUrl: null, added: { later: [1] } }, makes: 'agent' },
  'voiceAgents.list': { query: { page: 1, limit: 2 } },
  'voiceAgents.get': { id: '@agent' },
  'voiceAgents.update': { id: '@agent', body: { greeting: 'Hi' } },
  'voiceAgents.clone': { body: { voiceAgentId: '@agent' } },
  'voiceAgents.call': { body: { voiceAgentId: '@agent', toNumber: '+1', params: { a: 1 } }, makes: 'call' },
  'conversations.joinCall': { body: { conversationId: '@call' } },
  'phoneNumbers.add': { body: { number: '+966511111111' }, makes: 'number' },
  'phoneNumbers.list': {},
  'phoneNumbers.assign': { body: { phoneNumberId: '@number', voiceAgentId: '@agent' } },
  'phoneNumbers.call': { body: { phoneNumberId: '@number', toNumber: '+1' } },
  'extras.callTwilioNumber': { body: { phoneNumberId: '@number', toNumber: '+1' } },
  'phoneNumbers.unassign': { body: { phoneNumberId: '@number' } },
  'extras.assignTwilioNumber': { body: { number: '+1', voiceAgentId: '@agent' } },
  'extras.listPhoneNumbers': {},
  'phoneNumbers.delete': { id: '@number' },
  'knowledgeBase.create': { body: { type: 'URL', url: 'https://a.example' }, makes: 'item' },
  'knowledgeBase.list': {},
  'knowledgeBase.get': { id: '@item' },
  'knowledgeBase.update': { id: '@item', body: { name: 'N' } },
  'knowledgeBase.addUrl': { id: '@item', body: { urls: ['https://b.example'] } },
  'knowledgeBase.toggleActivation': { body: { id: '@item', isActive: true } },
  'knowledgeBase.delete': { id: '@item' },
  'webTools.create': { body: { name: 'T', url: '@receiver', method: 'post', parameters: [] }, makes: 'tool' },
  'webTools.list': {},
  'webTools.update': { id: '@tool', body: { description: 'D' } },
  'webTools.test': { body: { id: '@tool', params: { a: 1 } } },
  'webTools.toggleActivation': { body: { id: '@tool' } },
  'extras.createWebTool': { body: { name: 'U' } },
  'extras.listWebTools': {},
  'extras.getWebTool': { id: '@tool' },
  'extras.updateWebTool': { id: '@tool', body: {} },
  'campaigns.create': { body: { name: 'C', voiceAgentId: '@agent', contacts: [{ number: '+1' }] }, makes: 'campaign' },
  'campaigns.list': {},
  'campaigns.get': { id: '@campaign' },
  'campaigns.update': { id: '@campaign', body: { name: 'D' } },
  'campaigns.pause': { id: '@campaign' },
  'campaigns.resume': { id: '@campaign' },
  'campaigns.cancel': { id: '@campaign' },
  'campaigns.retry': { id: '@campaign' },
  'conversations.list': { body: { page: 1, status: 'PENDING' } },
  'conversations.get': { id: '@call' },
  'jobs.transcribe': { body: { mediaUrl: '@receiver', webhookUrl: '@receiver' }, makes: 'job' },
  'jobs.textToSpeech': { body: { text: SENTENCES[0]!.text } },
  'jobs.get': { id: '@job' },
  'jobs.list': { body: {} },
  'jobs.aiContent': { body: { text: 'A text.' }, makes: 'job' },
  'extras.getAiContent': { id: '@job' },
  'extras.customAiContent': { body: { text: 'A text.', prompt: 'p' } },
  'extras.estimateAiContent': { query: { text: 'A text.' } },
  'realtime.tts': { body: { text: SENTENCES[0]!.text } },
  'realtime.ttsStream': { body: { text: SENTENCES[0]!.text } },
  'realtime.stt': { body: { audioBase64: wav16(SENTENCES[0]!.pcm), language: 'en' } },
  'extras.voices': {},
  'extras.preloadVoice': { body: { voiceId: 'v' } },
  'extras.createVoiceDictionary': { body: { name: 'D' }, makes: 'dictionary' },
  'extras.updateVoiceDictionary': { id: '@dictionary', body: { words: [1] } },
  'extras.analyticsOverview': { query: { startDate: '2020-01-01' } },
  'extras.analyticsPerformance': {},
  'extras.analyticsSatisfaction': {},
  'extras.project': {},
  'extras.statisticsChart': {},
  'extras.statisticsNumbers': {},
};

/** What `sample` is called with, given the ids of what was made so far. */
export function fillIn({ id, query, body }: Sample, ids: ReadonlyMap<string, string>): Input {
  const text = JSON.stringify({ id, query, body });
  return JSON.parse(text.replace(/"@(\w+)"/g, (_, name: string) => JSON.stringify(ids.get(name)))) as Input;
}
