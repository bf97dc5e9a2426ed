/**
 * Child of `calls.ts`: the telephones. Sends G.711 to every call on time and counts what comes back. It is a process of
 * its own, so that nothing it does is measured.
 */
import { readFileSync } from 'node:fs';
import { G711 } from '../../src/audio/g711.ts';
import { Resampler } from '../../src/audio/resampler.ts';
import { parseWav, wavToPcm } from '../../src/audio/wav.ts';
import { loadAddon } from '../../src/core/addon.ts';
import { systemClock } from '../../src/core/clock.ts';
import { NativeTransport } from '../../src/rtp/native-transport.ts';
import { createRtpHeader, parseRtp } from '../../src/rtp/packet.ts';
import { type FrameSender, type MediaPort, toEndpoint } from '../../src/rtp/transport.ts';
import type { CallerCount, ToCaller } from './calls.ts';

const HOST = '127.0.0.1';
const SAMPLE_RATE = 8000;
const FRAME_SAMPLES = 160;
const PAUSE_MS = 1200;
/** Rounded to a sample, about -72 dBov: a quiet line, and no digital silence, which would be less work. */
const NOISE_PEAK = 14;
const QUEUED_FRAMES = 10;
/** Calls start this many frames apart in the speech, so that they do not all pause together. */
const STAGGER_FRAMES = 37;

const { addon } = loadAddon();
if (!addon) throw new Error('Expected the native addon; run npm run build:native');
const transport = new NativeTransport({ localAddress: HOST, portRange: [0, 0] }, systemClock, addon);
const ports: MediaPort[] = [];
const header = createRtpHeader();
const count = { sent: 0, received: 0, lost: 0, payloadTypes: new Set<number>() };
/** By call; -1 before the first packet. */
let lastSequenceNumbers = new Int32Array(0);

/** A generator of its own, so that every run sends the same. */
let seed = 1;
function noise(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0;
  return ((seed >> 16) * NOISE_PEAK) / 32_768;
}

function readSpeech(): Int16Array {
  const folder = new URL('../../fixtures/speech/', import.meta.url);
  const sentences = JSON.parse(readFileSync(new URL('sentences.json', folder), 'utf8')) as { file: string }[];
  const pieces = sentences.flatMap(({ file }) => {
    const wav = parseWav(readFileSync(new URL(file, folder)));
    const speech = Resampler.resample(wavToPcm(wav), wav.sampleRate, SAMPLE_RATE);
    return [speech, new Int16Array((PAUSE_MS * SAMPLE_RATE) / 1000)];
  });
  const all = new Int16Array(pieces.reduce((samples, piece) => samples + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** One round of speech and pauses, or of the line's noise alone, as payloads. */
function makeFrames(says: 'speech' | 'noise'): Uint8Array[] {
  const pcm = says === 'speech' ? readSpeech() : new Int16Array(SAMPLE_RATE * 20);
  for (let i = 0; i < pcm.length; i++) pcm[i] = pcm[i]! + noise();
  const codes = new Uint8Array(pcm.length);
  G711.encodeUlaw(pcm, codes);
  const frames = Math.floor(codes.length / FRAME_SAMPLES);
  return Array.from({ length: frames }, (_, frame) =>
    codes.subarray(frame * FRAME_SAMPLES, (frame + 1) * FRAME_SAMPLES),
  );
}

async function open(calls: number): Promise<void> {
  lastSequenceNumbers = new Int32Array(calls).fill(-1);
  for (let call = 0; call < calls; call++) {
    const port = await transport.open();
    port.receive(
      ({ bytes, offset, length }) => take(call, bytes, offset, length),
      () => {},
    );
    ports.push(port);
  }
  process.send?.(ports.map(({ rtpPort }) => rtpPort));
}

function take(call: number, bytes: Uint8Array, offset: number, length: number): void {
  if (parseRtp(bytes, offset, length, header) !== 'ok') return;
  const { sequenceNumber, payloadType } = header;
  const last = lastSequenceNumbers[call]!;
  const ahead = last < 0 ? 1 : ((sequenceNumber - last) << 16) >> 16;
  // A packet that comes late was counted as lost.
  count.lost += ahead > 0 ? ahead - 1 : -1;
  if (ahead > 0) lastSequenceNumbers[call] = sequenceNumber;
  count.received += 1;
  count.payloadTypes.add(payloadType);
}

function speak(remotePorts: readonly number[], says: 'speech' | 'noise'): void {
  const frames = makeFrames(says);
  for (const [call, port] of ports.entries()) {
    port.setRemote(toEndpoint(HOST, remotePorts[call]!), undefined);
    let next = (call * STAGGER_FRAMES) % frames.length;
    const topUp = (sender: FrameSender): void => {
      while (sender.queuedFrames < QUEUED_FRAMES && sender.write(frames[next]!, 0, FRAME_SAMPLES, 0, 0)) {
        next = (next + 1) % frames.length;
      }
    };
    const sender = port.startSending({
      ssrc: call + 1,
      initialSequenceNumber: 0,
      initialTimestamp: 0,
      ptimeMs: 20,
      timestampStep: FRAME_SAMPLES,
      silencePayload: new Uint8Array(FRAME_SAMPLES).fill(G711.ULAW_SILENCE),
      silencePayloadType: 0,
      onSent: () => {
        count.sent += 1;
      },
      onTick: () => topUp(sender),
    });
    topUp(sender);
  }
  process.send?.('speaking');
}

process.on('message', (message: ToCaller) => {
  if (message.type === 'open') {
    void open(message.calls);
  } else if (message.type === 'speak') {
    speak(message.remotePorts, message.says);
  } else {
    const { sent, received, lost, payloadTypes } = count;
    process.send?.({ sent, received, lost, payloadTypes: [...payloadTypes] } satisfies CallerCount);
  }
});

process.on('disconnect', () => process.exit());
