import type { CallRegistry } from '../call/registry.ts';
import type { SpeakingCounters } from '../call/speaking-counters.ts';
import type { SipIngress } from '../ingress/sip/sip-ingress.ts';
import type { AgentCounters } from '../platform/voice-agent/agent-counters.ts';
import { NativeTransport } from '../rtp/native-transport.ts';
import type { MediaTransport } from '../rtp/transport.ts';
import type { AgentSessions } from '../server/agent-sessions/agent-sessions.ts';
import type { Measurement } from '../server/metrics.ts';
import type { PrebufferEstimator } from '../speech/prebuffer-estimator.ts';
import type { Admission } from '../speech/admission.ts';
import type { SpeechPlatform } from './speech-platform.ts';

export interface MeasuredParts {
  readonly calls: CallRegistry;
  readonly speech: SpeechPlatform;
  readonly agents: AgentCounters;
  readonly admission: Admission;
  readonly sip: SipIngress;
  readonly transport: MediaTransport;
  readonly prebuffer: PrebufferEstimator;
  readonly speaking: SpeakingCounters;
  readonly agentSessions: AgentSessions;
  eventReaders(): number;
}

/** Every number of `/metrics` besides the latencies. */
export function measurements(parts: MeasuredParts): readonly Measurement[] {
  const { calls, speech, agents, sip, speaking } = parts;
  const media = () => (parts.transport instanceof NativeTransport ? parts.transport.statistics : undefined);
  const stt = () => speech.transcriber.statistics;
  const quota = () => speech.scheduler.usage;
  const pages = () => parts.agentSessions.statistics;
  const tts = () => speech.synthesizer.statistics;
  const prompts = () => speech.output.prompts?.statistics;
  const gauge = (name: string, help: string, read: () => number): Measurement => ({
    name: `hamsa_gateway_${name}`,
    kind: 'gauge',
    help,
    read,
  });
  const counter = (name: string, help: string, read: () => number): Measurement => ({
    name: `hamsa_gateway_${name}_total`,
    kind: 'counter',
    help,
    read,
  });
  return [
    gauge('calls_active', 'calls that are up', () => calls.activeCalls),
    counter('calls', 'calls since the start', () => calls.totalCalls),
    counter(
      'calls_not_admitted',
      'calls refused because the quota could not serve them',
      () => parts.admission.refused,
    ),
    gauge('media_ports_open', 'pairs of UDP ports in use', () => sip.openMediaPorts),
    gauge('media_native', '1 when a native thread owns the RTP sockets, 0 for the event loop', () =>
      Number(media() !== undefined),
    ),
    gauge('media_fifo', '1 when that thread runs with SCHED_FIFO', () => Number(media()?.scheduling === 'fifo')),
    counter('media_ring_full', 'times that packets had to wait in the kernel', () => media()?.ringFull ?? 0),
    counter(
      'media_skipped_deadlines',
      'packets not sent because their time had passed',
      () => media()?.skippedDeadlines ?? 0,
    ),
    counter(
      'media_standby_sent',
      'packets sent by the standby thread because a processor stood still',
      () => media()?.standbySent ?? 0,
    ),
    gauge('media_max_late_seconds', 'the latest that a packet ever left', () => (media()?.maxLateMs ?? 0) / 1000),
    gauge('event_readers', 'event sockets that are connected', () => parts.eventReaders()),
    counter('agent_sessions', 'tokens for web pages that were issued', () => pages().issued),
    counter(
      'agent_sessions_refused',
      'tokens that were not issued, because there were too many',
      () => pages().refused,
    ),
    gauge('agent_sessions_valid', 'tokens that have not expired', () => pages().valid),
    gauge('agent_pages', 'pages that are connected to a hosted agent', () => pages().connected),
    counter(
      'agent_page_connections',
      'connections to hosted agents that were made for pages',
      () => pages().connections,
    ),
    counter('agent_pages_links_lost', 'of those, lost in a conversation', () => pages().linksLost),
    counter('agent_pages_reconnects', 'links that came back after that', () => pages().reconnects),
    counter('agent_pages_too_slow', 'of those, given up because one side was too slow', () => pages().tooSlow),
    counter('sip_received', 'SIP datagrams from allowed networks', () => sip.counters.received),
    counter('sip_malformed', 'SIP datagrams that are no SIP message', () => sip.counters.malformed),
    counter('sip_not_allowed', 'datagrams from networks that are not allowed', () => sip.counters.notAllowed),
    counter('sip_refused_full', 'requests refused because too much is under way', () => sip.counters.refusedFull),
    counter('stt_requests', 'utterances sent to the platform', () => stt().requests),
    counter('stt_retries', 'utterances sent again because a connection was lost', () => stt().retries),
    counter('stt_refused', 'requests and connections that the platform refused', () => stt().refused),
    counter('stt_failed', 'utterances that ended in an error', () => stt().failed),
    counter('stt_deferred', 'utterances that were kept for later because the platform is away', () => stt().deferred),
    counter('stt_hedged', 'requests made a second time because their answer was late', () => stt().hedged),
    counter('stt_hedges_won', 'answers that came to the second request first', () => stt().hedgesWon),
    gauge('stt_away', '1 while the platform is away', () => Number(speech.transcriber.isAway)),
    gauge('late_stored', 'utterances on disk that wait for the platform', () => speech.late.storedUtterances),
    gauge('late_stored_bytes', 'what they take', () => speech.late.storedBytes),
    counter('late_transcribed', 'stored utterances that were transcribed', () => speech.late.replayed),
    counter('late_dropped', 'stored utterances that gave way to newer ones', () => speech.late.dropped),
    counter('stt_reconnects', 'connections opened after one was lost', () => stt().reconnects),
    counter('stt_merged', 'utterances that went with an earlier one of their call in one request', () => stt().merged),
    counter('stt_skipped', 'utterances that were not sent because they are no speech', () => stt().skipped),
    gauge('stt_queued', 'utterances that wait', () => stt().queued),
    gauge('stt_in_flight', 'utterances with the platform', () => stt().inFlight),
    gauge('stt_sockets', 'connections to the platform', () => stt().sockets),
    counter('stt_handshakes', 'connections that were begun', () => speech.realtime.attempts),
    counter(
      'stt_stray_transcripts',
      'transcripts that belonged to no request, and were dropped',
      () => speech.realtime.strayTranscripts,
    ),
    counter('stt_markers', 'markers such as [THINKING] in the place of a transcript', () => speech.realtime.markers),
    gauge('quota_limit', 'slots of the realtime quota in a minute, as far as is known', () => quota().limit),
    gauge('quota_used', 'slots of the realtime quota in use', () => quota().used),
    gauge('quota_pace_seconds', 'time between two requests while many wait', () => quota().paceMs / 1000),
    gauge('end_silence_seconds', 'silence that ends an utterance at the moment', () => speech.endSilence.ms / 1000),
    counter('quota_refusals', 'refusals for the rate', () => quota().refusals),
    gauge('quota_waiting', 'requests that wait for the quota', () => speech.scheduler.pressure.waiting),
    counter('tts_requests', 'requests for speech', () => tts().requests),
    counter('tts_retries', 'requests for speech that were made again', () => tts().retries),
    counter('tts_short', 'answers whose audio was missing or far too short for their text', () => tts().short),
    counter('prompt_hits', 'requests for speech that the prompt cache saved', () => prompts()?.hits ?? 0),
    counter('prompt_misses', 'requests for speech that it did not have', () => prompts()?.misses ?? 0),
    gauge('prompt_memory_bytes', 'speech that it keeps in memory', () => prompts()?.memoryBytes ?? 0),
    gauge('prompt_disk_bytes', 'speech that it keeps on disk', () => prompts()?.diskBytes ?? 0),
    gauge('tts_sockets', 'realtime sockets for speech, with HAMSA_TTS_TRANSPORT=socket', () => speech.output.sockets),
    counter('tts_failed', 'texts that could not be spoken', () => tts().failed),
    gauge(
      'prebuffer_delay_seconds',
      'how long replies wait for more audio before they start, as learned from stalls',
      () => parts.prebuffer.startDelayMs / 1000,
    ),
    counter('playout_underruns', 'times that a reply fell silent because its audio was late', () => speaking.underruns),
    counter('barge_in_ducked', 'replies made quieter because the caller may be speaking', () => speaking.ducked),
    counter('barge_ins', 'replies that the caller interrupted', () => speaking.bargeIns),
    counter('barge_in_false_alarms', 'replies that went on because no speech followed', () => speaking.falseAlarms),
    gauge('agents_active', 'conversations with hosted agents that are up', () => agents.active),
    counter('agents', 'conversations with hosted agents', () => agents.sessions),
    counter('agents_failed', 'conversations with hosted agents that ended in an error', () => agents.failed),
    counter('agents_links_lost', 'links to hosted agents that were lost in a conversation', () => agents.linksLost),
    counter('agents_reconnects', 'links to hosted agents that came back', () => agents.reconnects),
    counter('agents_bad_frames', 'messages of hosted agents that were not understood', () => agents.badFrames),
    counter('agents_dropped_up_seconds', 'audio of callers that no agent was sent', () => agents.droppedUpMs / 1000),
    counter(
      'agents_dropped_down_seconds',
      'audio of agents that was not played: too much waited, or the caller was on hold',
      () => agents.droppedDownMs / 1000,
    ),
    counter('agents_tool_calls', 'calls of client-side tools', () => agents.toolCalls),
    counter(
      'agents_tool_errors',
      'calls of client-side tools that were answered with an error',
      () => agents.toolErrors,
    ),
    gauge('account_refused', '1 while the platform refuses the key or the wallet is empty', () =>
      Number(speech.guard.refusal !== undefined),
    ),
  ];
}
