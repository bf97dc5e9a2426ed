import type { HostPort } from './addresses.ts';
import { LOG_LEVELS, type LogLevel } from './logger.ts';
import {
  bearer,
  cidr,
  flag,
  hostPort,
  integer,
  ipv4,
  list,
  oneOf,
  portRange,
  type Reader,
  range,
  redisUrl,
  sipAddress,
  text,
  url,
} from './setting-values.ts';

/** What the gateway does with a call; `agent:ID` joins it to a hosted voice agent. */
export type OnCall = 'transcribe' | 'echo' | 'app' | `agent:${string}`;
export type SttFormat = 'linear16-16000' | 'linear16-8000' | 'mulaw-8000';

/** Everything an operator can set. Frozen once loaded; parts of the program get the fields they need. */
export interface Settings {
  readonly hamsaApiKey: string | undefined;
  readonly hamsaAuthScheme: 'Token' | 'Bearer';
  readonly hamsaBaseUrl: string;
  readonly hamsaAllowInsecure: boolean;
  readonly hamsaRealtimeUrl: string;
  readonly hamsaAgentUrl: string;
  readonly hamsaLanguage: string;
  readonly hamsaVoice: string;
  readonly hamsaDialect: string | undefined;
  readonly hamsaSttFormat: SttFormat;
  readonly hamsaSttHedge: boolean;
  readonly hamsaTtsTransport: 'http' | 'socket';
  readonly hamsaRealtimeQuota: number;
  readonly hamsaApiQuota: number;
  readonly hamsaQuotaCounts: readonly ('connections' | 'messages')[];
  readonly hamsaLocalPort: number;
  readonly gatewayHttp: HostPort;
  readonly gatewayToken: string | undefined;
  readonly gatewaySip: HostPort;
  readonly gatewaySipAllow: readonly string[];
  readonly gatewayRtpPorts: readonly [number, number];
  readonly gatewayRtpTransport: 'native' | 'dgram';
  readonly gatewayAdvertisedAddress: string | undefined;
  readonly gatewayAudiosocket: HostPort | undefined;
  readonly gatewayOnCall: OnCall;
  readonly gatewayAppUrl: string | undefined;
  /** Shortest and longest. */
  readonly gatewayEndSilenceMs: readonly [number, number];
  readonly gatewayAdmission: boolean;
  readonly gatewayFallbackPrompt: string | undefined;
  readonly gatewayResumeAfterFalseAlarm: boolean;
  readonly gatewayMaxCalls: number;
  readonly gatewayMediaTimeoutS: number;
  readonly gatewayMaxCallS: number;
  readonly gatewayData: string;
  readonly gatewayRedisUrl: string | undefined;
  readonly gatewayWebhookToken: string | undefined;
  readonly gatewayWebhookForward: readonly string[];
  readonly gatewayAllowPrivateUrls: boolean;
  readonly gatewayRecord: boolean;
  readonly gatewayLogLevel: LogLevel;
}

export type SettingName = keyof Settings;

/** How one setting is read. `parse` gets the text of the environment or of the file and returns undefined to refuse it. */
export interface SettingDefinition<T> {
  readonly parse: Reader<T>;
  /** What a good value looks like, for the refusal and the reference table. */
  readonly needed: string;
  /** Text that stands in when nothing is set; absent means the setting is undefined then. */
  readonly preset?: string;
  readonly about: string;
  readonly secret?: true;
  /** A part of the contract without effect yet: setting it is warned about, or refused where ignoring it would harm. */
  readonly pending?: 'warn' | 'refuse';
}

const onCall: Reader<OnCall> = (value) =>
  oneOf('transcribe', 'echo', 'app')(value) ?? (/^agent:[\w-]+$/.test(value) ? (value as OnCall) : undefined);

export const SETTINGS: { readonly [N in SettingName]: SettingDefinition<Settings[N]> } = {
  hamsaApiKey: { parse: text, needed: 'the key', about: 'API key of the platform.', secret: true },
  hamsaAuthScheme: {
    parse: oneOf('Token', 'Bearer'),
    needed: '`Token` or `Bearer`',
    preset: 'Token',
    about: 'Word in front of the key in `Authorization`.',
  },
  hamsaBaseUrl: {
    parse: url('https:', 'http:'),
    needed: 'an https URL (http on loopback, or with HAMSA_ALLOW_INSECURE)',
    preset: 'https://api.tryhamsa.com',
    about: 'Where the REST API is.',
  },
  hamsaAllowInsecure: {
    parse: flag,
    needed: '`true` or `false`',
    preset: 'false',
    about: 'Allows `http:` and `ws:` beyond loopback.',
  },
  hamsaRealtimeUrl: {
    parse: url('wss:', 'ws:'),
    needed: 'a wss URL (ws on loopback, or with HAMSA_ALLOW_INSECURE)',
    about: 'The realtime socket. Default: HAMSA_BASE_URL with its scheme swapped, and `/v1/realtime/ws`.',
    preset: '',
  },
  hamsaAgentUrl: {
    parse: url('wss:', 'ws:'),
    needed: 'a wss URL (ws on loopback, or with HAMSA_ALLOW_INSECURE)',
    preset: 'wss://bots.tryhamsa.com/stream',
    about: 'The socket of hosted voice agents.',
  },
  hamsaLanguage: { parse: text, needed: 'a language code', preset: 'ar', about: 'Language of the callers.' },
  hamsaVoice: {
    parse: text,
    needed: 'a voice',
    preset: 'Salem',
    about: 'Voice of the replies: a UUID or `voice_…` is sent as `voiceId`, anything else as `speaker`.',
  },
  hamsaDialect: { parse: text, needed: 'a dialect code', about: 'Dialect of the replies.' },
  hamsaSttFormat: {
    parse: oneOf('linear16-16000', 'linear16-8000', 'mulaw-8000'),
    needed: '`linear16-16000`, `linear16-8000` or `mulaw-8000`',
    preset: 'linear16-16000',
    about: 'Format in which utterances are sent.',
  },
  hamsaSttHedge: {
    parse: flag,
    needed: '`true` or `false`',
    preset: 'false',
    about: 'Ask a second socket when an answer is later than 99 of 100, and take the first.',
  },
  hamsaTtsTransport: {
    parse: oneOf('http', 'socket'),
    needed: '`http` or `socket`',
    preset: 'http',
    about: 'How speech is asked for: by HTTP requests, or over realtime sockets of its own.',
  },
  hamsaRealtimeQuota: {
    parse: integer(1, 100_000),
    needed: '1 to 100000',
    preset: '100',
    about: 'Realtime requests and connections a minute.',
  },
  hamsaApiQuota: {
    parse: integer(1, 100_000),
    needed: '1 to 100000',
    preset: '100',
    about: 'REST requests a minute.',
  },
  hamsaQuotaCounts: {
    parse: list(oneOf('connections', 'messages')),
    needed: '`connections`, `messages` or both, comma-separated',
    preset: 'connections,messages',
    about: 'What the realtime quota counts.',
  },
  hamsaLocalPort: {
    parse: integer(0, 65535),
    needed: 'a port',
    preset: '8790',
    about: 'Port of `hamsa-gateway platform` on 127.0.0.1.',
  },
  gatewayHttp: {
    parse: hostPort,
    needed: 'HOST:PORT',
    preset: '127.0.0.1:8080',
    about: 'Address of the HTTP API and the event socket.',
  },
  gatewayToken: {
    parse: text,
    needed: 'a token',
    about: 'Bearer token of the HTTP API; required unless it is on loopback.',
    secret: true,
  },
  gatewaySip: {
    parse: sipAddress,
    needed: 'HOST:PORT or HOST:PORT/udp, HOST an IPv4 address (tcp is not built yet)',
    preset: '127.0.0.1:5060/udp',
    about: 'Address of the SIP server.',
  },
  gatewaySipAllow: {
    parse: list(cidr),
    needed: 'CIDRs, comma-separated',
    preset: '',
    about: 'Networks that may send SIP; required unless SIP is on loopback (which then stays the only one).',
  },
  gatewayRtpPorts: {
    parse: portRange,
    needed: 'FIRST-LAST of 1024-65535, or 0 for any',
    preset: '20000-29999',
    about: 'UDP ports of RTP and RTCP.',
  },
  gatewayRtpTransport: {
    parse: oneOf('native', 'dgram'),
    needed: '`native` or `dgram`',
    preset: 'native',
    about: 'Who owns the RTP sockets; `native` falls back to `dgram` where the addon can not load.',
  },
  gatewayAdvertisedAddress: {
    parse: ipv4,
    needed: 'an IPv4 address',
    about: 'Address told to peers. Default: the local address routed to the peer.',
  },
  gatewayAudiosocket: {
    parse: hostPort,
    needed: 'HOST:PORT',
    about: 'Address of the AudioSocket server.',
    pending: 'refuse',
  },
  gatewayOnCall: {
    parse: onCall,
    needed: '`transcribe`, `echo`, `app` or `agent:ID`',
    preset: 'transcribe',
    about: 'What is done with a call.',
  },
  gatewayAppUrl: {
    parse: url('wss:', 'ws:'),
    needed: 'a WebSocket URL',
    about: 'Application to dial.',
    pending: 'refuse',
  },
  gatewayEndSilenceMs: {
    parse: range(100, 5000),
    needed: '100 to 5000, or MIN-MAX',
    preset: '500',
    about:
      'Silence that ends an utterance. Between MIN and MAX (`250-900`) it follows the quota: short while that is plentiful, for fast answers, long while it is scarce, for fewer requests.',
  },
  gatewayAdmission: {
    parse: flag,
    needed: '`on` or `off`',
    preset: 'off',
    about: 'Refuse calls that the quota can not serve: 503 with Retry-After, before they are answered.',
  },
  gatewayFallbackPrompt: {
    parse: text,
    needed: 'a text',
    about: 'Said to callers, once each, while the platform is away. Fetched at the start and kept below GATEWAY_DATA.',
  },
  gatewayResumeAfterFalseAlarm: {
    parse: flag,
    needed: '`true` or `false`',
    preset: 'true',
    about: 'Resume a reply that a noise interrupted.',
  },
  gatewayMaxCalls: {
    parse: integer(1, 100_000),
    needed: '1 to 100000',
    preset: '1000',
    about: 'Calls at once; more are refused with 503.',
  },
  gatewayMediaTimeoutS: {
    parse: integer(1, 86_400),
    needed: '1 to 86400',
    preset: '30',
    about: 'A call without a packet for so long is hung up.',
  },
  gatewayMaxCallS: {
    parse: integer(1, 604_800),
    needed: '1 to 604800',
    preset: '7200',
    about: 'A call is hung up after so long.',
  },
  gatewayData: { parse: text, needed: 'a folder', preset: './data', about: 'Where the gateway keeps files.' },
  gatewayRedisUrl: {
    parse: redisUrl,
    needed: 'a redis:// or rediss:// URL',
    about: 'Redis through which several gateways with one key share its quota.',
    secret: true,
  },
  gatewayWebhookToken: {
    parse: bearer,
    needed: 'a token',
    about: 'Bearer token of the platform’s webhooks; a leading `Bearer ` is stripped.',
    secret: true,
    pending: 'warn',
  },
  gatewayWebhookForward: {
    parse: list(url('https:', 'http:')),
    needed: 'URLs, comma-separated',
    preset: '',
    about: 'Where webhooks are forwarded.',
    pending: 'warn',
  },
  gatewayAllowPrivateUrls: {
    parse: flag,
    needed: '`true` or `false`',
    preset: 'false',
    about: 'Lets web tools, webhooks and media that others chose be on loopback and private addresses.',
  },
  gatewayRecord: { parse: flag, needed: '`on` or `off`', preset: 'off', about: 'Record calls.', pending: 'refuse' },
  gatewayLogLevel: {
    parse: oneOf(...LOG_LEVELS),
    needed: LOG_LEVELS.map((level) => `\`${level}\``).join(', '),
    preset: 'info',
    about: 'Least important log line that is written.',
  },
};
