export { Gateway, type GatewayOptions } from './apps/gateway.ts';
export { Concealer, type ConcealerOptions } from './audio/concealer.ts';
export { G711, type Law } from './audio/g711.ts';
export { Resampler, type ResamplerOptions } from './audio/resampler.ts';
export { Ring, type RingOptions } from './audio/ring.ts';
export { VoiceActivity } from './audio/voice-activity.ts';
export { ERRORS, type ErrorCode, GatewayError } from './core/errors.ts';
export type { EventType, GatewayEvent } from './core/events.ts';
export { createLogger, type Logger } from './core/logger.ts';
export { type LoadedSettings, loadSettings, type SettingsSource } from './core/settings.ts';
export type { Settings } from './core/settings-table.ts';
export {
  AbortedError,
  AuthenticationError,
  BacklogError,
  NetworkError,
  NotFoundError,
  PermissionError,
  PlatformError,
  ProtocolError,
  RateLimitError,
  ServerError,
  TimeoutError,
  ValidationError,
  WalletError,
} from './platform/platform-errors.ts';
export { QuotaGovernor, type QuotaGovernorOptions } from './platform/quota-governor.ts';
export { callWithFallback } from './platform/rest/fallback.ts';
export { GovernedQuota, type GovernedQuotaOptions } from './platform/rest/governed-quota.ts';
export { HamsaClient, type HamsaClientOptions } from './platform/rest/hamsa-client.ts';
export { JitterBuffer, type JitterBufferOptions } from './rtp/jitter-buffer.ts';
export { RtpSession, type RtpSessionOptions } from './rtp/session.ts';
export { SipUserAgent, type SipUserAgentOptions } from './sip/user-agent.ts';
export { Segmenter, type SegmenterEvent, type SegmenterOptions } from './speech/segmenter.ts';
export { Synthesizer, type SynthesizerOptions } from './speech/synthesizer.ts';
export { Transcriber, type TranscriberOptions } from './speech/transcriber.ts';
export type { StartOptions, VoiceAgentSessionOptions } from './platform/voice-agent/session-options.ts';
export { VoiceAgentSession } from './platform/voice-agent/voice-agent-session.ts';
export { EmbeddedStore, type EmbeddedStoreOptions } from './store/embedded-store.ts';
export { MemoryStore, type MemoryStoreOptions } from './store/memory-store.ts';
export { RedisStore, type RedisStoreOptions } from './store/redis-store.ts';
export type { Store } from './store/store.ts';
