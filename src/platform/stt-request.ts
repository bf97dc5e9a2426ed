import { G711 } from '../audio/g711.ts';
import { base64Writer } from '../audio/native-base64.ts';
import { Resampler } from '../audio/resampler.ts';
import { wavHeader } from '../audio/wav.ts';
import { loadAddon } from '../core/addon.ts';
import type { SttFormat } from '../core/settings-table.ts';

export interface SttRequestOptions {
  /** Language code of the caller, such as `ar`. */
  readonly language: string;
  readonly format: SttFormat;
  /** `s2`, `s3`; the platform's own choice when absent. */
  readonly model?: string;
  /**
   * Asks the platform to judge whether the utterance is finished, with this threshold. Absent (the gateway's own voice
   * activity decided already), it is told not to.
   */
  readonly eosThreshold?: number;
}

const FORMATS = {
  'linear16-16000': { format: 'linear16', sampleRate: 16_000 },
  'linear16-8000': { format: 'linear16', sampleRate: 8_000 },
  'mulaw-8000': { format: 'mulaw', sampleRate: 8_000 },
} as const;

/** Of the audio in a request; what comes at this rate need not be resampled when the request is made. */
export function sttSampleRate(format: SttFormat): 8000 | 16000 {
  return FORMATS[format].sampleRate;
}

const PREFIX = '{"type":"stt","payload":{"audioBase64":"';
/** Where the WAV file of the request at work lies: one for all, since a request is built in one go. It grows as needed. */
let scratch = new Uint8Array(0);

/**
 * The text message that asks for the transcript of one utterance: `pcm` at `sampleRate` as a WAV file in base64.
 * Nothing of its size is built but the one buffer that is sent.
 */
export function buildSttRequest(pcm: Int16Array, sampleRate: number, options: SttRequestOptions): Buffer {
  const { format, sampleRate: sentRate } = FORMATS[options.format];
  const samples = sampleRate === sentRate ? pcm : Resampler.resample(pcm, sampleRate, sentRate);
  const data = format === 'mulaw' ? toUlaw(samples) : bytesOf(samples);
  const wav = toWav(wavHeader({ format, sampleRate: sentRate, dataBytes: data.length }), data);

  const suffix = `"${fieldsAfterAudio(options)}}}`;
  const base64Bytes = Math.ceil(wav.length / 3) * 4;
  const message = Buffer.allocUnsafe(PREFIX.length + base64Bytes + Buffer.byteLength(suffix));
  message.write(PREFIX, 0, 'latin1');
  base64Writer(loadAddon().addon)(wav, message, PREFIX.length);
  message.write(suffix, PREFIX.length + base64Bytes);
  return message;
}

/** Valid until the next call. A chunk of odd length is padded (RIFF). */
function toWav(header: Uint8Array, data: Uint8Array): Uint8Array {
  const paddedBytes = data.length + (data.length % 2);
  const length = header.length + paddedBytes;
  if (scratch.length < length) scratch = new Uint8Array(length);
  scratch.set(header);
  scratch.set(data, header.length);
  scratch.fill(0, header.length + data.length, length);
  return scratch.subarray(0, length);
}

function fieldsAfterAudio(options: SttRequestOptions): string {
  const { language, model, eosThreshold } = options;
  const fields = {
    language,
    isEosEnabled: eosThreshold !== undefined,
    ...(eosThreshold === undefined ? {} : { eosThreshold }),
    ...(model === undefined ? {} : { model }),
  };
  return `,${JSON.stringify(fields).slice(1, -1)}`;
}

function toUlaw(pcm: Int16Array): Uint8Array {
  const codes = new Uint8Array(pcm.length);
  G711.encodeUlaw(pcm, codes);
  return codes;
}

/** The samples as little-endian bytes, which they are in memory on every machine that Node runs on. */
function bytesOf(pcm: Int16Array): Uint8Array {
  return new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
}
