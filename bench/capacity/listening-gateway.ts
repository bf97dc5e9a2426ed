/**
 * Child of `calls.ts`: the gateway as it is, SIP in front and calls behind, without a platform: every utterance has an
 * empty transcript at once, so nobody is answered and silence goes out.
 */
import { VoiceActivity } from '../../src/audio/voice-activity.ts';
import { Call, type CallServices } from '../../src/call/call.ts';
import { SpeakingCounters } from '../../src/call/speaking-counters.ts';
import { loadAddon } from '../../src/core/addon.ts';
import { systemClock as clock } from '../../src/core/clock.ts';
import { EventBus } from '../../src/core/events.ts';
import { createLogger } from '../../src/core/logger.ts';
import { SipIngress } from '../../src/ingress/sip/sip-ingress.ts';
import { AccountGuard } from '../../src/platform/account-guard.ts';
import { NativeTransport } from '../../src/rtp/native-transport.ts';
import { PrebufferEstimator } from '../../src/speech/prebuffer-estimator.ts';
import { Synthesizer } from '../../src/speech/synthesizer.ts';
import { Transcriber, type Transcript, type Utterance } from '../../src/speech/transcriber.ts';
import type { GatewayCount, ToGateway } from './calls.ts';

const HOST = '127.0.0.1';
const MAX_CALLS = 4000;

const { addon } = loadAddon();
if (!addon) throw new Error('Expected the native addon; run npm run build:native');
const transport = new NativeTransport({ localAddress: HOST, portRange: [0, 0] }, clock, addon);
const logger = createLogger('warn');

/** Understands nothing, at once. */
class InstantTranscriber extends Transcriber {
  override warm(): () => void {
    return () => {};
  }

  override async submit({ id, startMs, endMs }: Utterance): Promise<Transcript> {
    return { text: '', parts: [{ id, startMs, endMs }], sttQueueMs: 0, sttMs: 0 };
  }
}

function refuse(): Promise<never> {
  return Promise.reject(new Error('Expected no use of the platform'));
}

const services: CallServices = {
  clock,
  logger,
  events: new EventBus(clock),
  transcriber: new InstantTranscriber({
    clock,
    guard: new AccountGuard(),
    encode: () => Buffer.alloc(0),
    connect: refuse,
  }),
  endSilence: { ms: 500 },
  synthesizer: new Synthesizer({ clock, voice: '', openSpeech: refuse }),
  prebuffer: new PrebufferEstimator(),
  speaking: new SpeakingCounters(),
  observeLatency: () => {},
};
const calls: Call[] = [];
let utterances = 0;
let collections = 0;
services.events.subscribe((event) => {
  if (event.type === 'speech.ended') utterances += 1;
});
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

const sip = new SipIngress({
  clock,
  logger,
  address: { host: HOST, port: 0 },
  allow: [],
  advertisedAddress: HOST,
  transport,
  // Calls are set up one after the other before anybody speaks.
  mediaTimeoutMs: 600_000,
  maxCalls: MAX_CALLS,
  onLeg: (leg) => {
    const call = new Call(leg, services, {
      // As it comes: upsampling for the platform belongs to transcribing.
      sttSampleRate: 8000,
      maxCallMs: 3_600_000,
      voice: '',
      resumeAfterFalseAlarm: true,
      onTranscript: () => {},
      onSettled: () => {},
    });
    calls.push(call);
    void call.start();
  },
});

/** The heap is read before and after, since counting allocates by itself. */
function countAll(): GatewayCount {
  const heapBytesBefore = process.memoryUsage().heapUsed;
  const { user, system } = process.cpuUsage();
  let [packetsIn, packetsOut, missing] = [0, 0, 0];
  for (const { leg } of calls) {
    const { delivered = 0, packetsSent = 0, lost = 0 } = leg.statistics();
    packetsIn += delivered;
    packetsOut += packetsSent;
    missing += lost;
  }
  const { scheduling, skippedDeadlines, ringFull } = transport.statistics;
  return {
    cpuUs: user + system,
    heapBytesBefore,
    collections,
    packetsIn,
    packetsOut,
    lost: missing,
    utterances,
    scheduling,
    skippedDeadlines,
    ringFull,
    heapBytesAfter: process.memoryUsage().heapUsed,
  };
}

process.on('message', (message: ToGateway) => {
  if (message.type === 'listen') void VoiceActivity.load().then(async () => process.send?.((await sip.listen()).port));
  else if (message.type === 'collect') {
    globalThis.gc?.();
    process.send?.('collected');
  } else process.send?.(countAll());
});

process.on('disconnect', () => process.exit());
