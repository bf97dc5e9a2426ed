import { badRequest } from './answers.ts';
import type { Answer, JsonObject, RequestContext, Route } from './types.ts';
import { optionalPositive, requireBody, requireText } from './validate.ts';

const SAMPLE_RATE = 16_000;
const BYTES_PER_SAMPLE = 2;
const CHARACTERS_PER_SECOND = 15;
const MIN_SECONDS = 0.3;
const MAX_SECONDS = 60;
const CHUNK_SAMPLES = SAMPLE_RATE / 10;
const STREAM_SIZE = 0xff_ff_ff_ff;

interface Speech {
  readonly samples: number;
  readonly hertz: number;
}

/** Checks a request of section "Real-Time Text-to-Speech (REST)" and plans its tone. */
function planSpeech(body: JsonObject): Speech {
  const text = requireText(body, 'text');
  requireText(body, 'voiceId');
  const speed = optionalPositive(body, 'speed') ?? 1;
  const pitch = optionalPositive(body, 'pitch') ?? 1;
  const hertz = 220 * pitch;
  if (hertz > SAMPLE_RATE / 2) throw badRequest('The field "pitch" is too large.');
  const wanted = Array.from(text).length / CHARACTERS_PER_SECOND / speed;
  const seconds = Math.min(MAX_SECONDS, Math.max(MIN_SECONDS, wanted));
  return { samples: Math.round(seconds * SAMPLE_RATE), hertz };
}

/** Makes a stretch of the tone as linear16: 16-bit little-endian PCM, mono. */
function tone(speech: Speech, from: number, to: number): Buffer {
  const pcm = Buffer.alloc((to - from) * BYTES_PER_SAMPLE);
  for (let index = from; index < to; index += 1) {
    const value = Math.sin((2 * Math.PI * speech.hertz * index) / SAMPLE_RATE);
    pcm.writeInt16LE(Math.round(value * 8_000), (index - from) * BYTES_PER_SAMPLE);
  }
  return pcm;
}

/** Makes the 44 bytes before the PCM; a stream of unknown length has the largest sizes. */
function wavHeader(dataBytes: number | undefined): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(dataBytes === undefined ? STREAM_SIZE : dataBytes + 36, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(SAMPLE_RATE, 24);
  header.writeUInt32LE(SAMPLE_RATE * BYTES_PER_SAMPLE, 28);
  header.writeUInt16LE(BYTES_PER_SAMPLE, 32);
  header.writeUInt16LE(8 * BYTES_PER_SAMPLE, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(dataBytes ?? STREAM_SIZE, 40);
  return header;
}

function* streamedSpeech(speech: Speech): Generator<Buffer> {
  yield wavHeader(undefined);
  for (let from = 0; from < speech.samples; from += CHUNK_SAMPLES) {
    yield tone(speech, from, Math.min(speech.samples, from + CHUNK_SAMPLES));
  }
}

function speak(context: RequestContext): Answer {
  const speech = planSpeech(requireBody(context));
  const pcm = tone(speech, 0, speech.samples);
  return { kind: 'audio', bytes: Buffer.concat([wavHeader(pcm.length), pcm]) };
}

function speakStreamed(context: RequestContext): Answer {
  return { kind: 'audioStream', chunks: streamedSpeech(planSpeech(requireBody(context))) };
}

/**
 * Section "Real-Time Text-to-Speech (REST)". The guide names no container, sample rate or content
 * type for speech; the only format names stand under realtime speech-to-text. The example plays the
 * answer from an object URL, which needs a container, and so both rows answer WAV with linear16
 * at 16 kHz, mono. The streamed row sends the same header once, before its first PCM chunk.
 * `text` and `voiceId` are required because both examples send them; `speed` and `pitch` are
 * optional because the streaming example leaves them out. Any `voiceId` is known.
 */
export function realtimeTtsRoutes(): readonly Route[] {
  return [
    { method: 'POST', path: '/v1/realtime/tts', handle: speak },
    { method: 'POST', path: '/v1/realtime/tts-stream', handle: speakStreamed },
  ];
}
