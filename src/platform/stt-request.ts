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

const BYTES_PER_SAMPLE = { linear16: 2, mulaw: 1 } as const;
const PREFIX = '{"type":"stt","payload":{"audioBase64":"';
/** A minute of 16 kHz is larger than that, but rare. */
const MAX_KEPT_BYTES = 1_048_576;
/** Where requests are built, one after the other. Its pages are there already, which takes longest of all otherwise. */
let scratch: Buffer = Buffer.alloc(0);

/**
 * The text message that asks for the transcript of one utterance: `pcm` at `sampleRate` as a WAV file in base64.
 *
 * @returns memory of the next request: it is valid until the next call.
 */
export function buildSttRequest(pcm: Int16Array, sampleRate: number, options: SttRequestOptions): Buffer {
  const { format, sampleRate: sentRate } = FORMATS[options.format];
  const samples = sampleRate === sentRate ? pcm : Resampler.resample(pcm, sampleRate, sentRate);
  const data = format === 'mulaw' ? toUlaw(samples) : bytesOf(samples);
  const header = wavHeader({ format, sampleRate: sentRate, dataBytes: samples.length * BYTES_PER_SAMPLE[format] });
  // Groups of three bytes are independent: one piece ends with the first group that reaches into the audio.
  const borrowedBytes = Math.min(data.length, (3 - (header.length % 3)) % 3);
  const start = new Uint8Array(header.length + borrowedBytes);
  start.set(header);
  start.set(data.subarray(0, borrowedBytes), header.length);

  const suffix = `"${fieldsAfterAudio(options)}}}`;
  const base64Bytes = Math.ceil((header.length + data.length) / 3) * 4;
  const message = takeScratch(PREFIX.length + base64Bytes + Buffer.byteLength(suffix));
  const write = base64Writer(loadAddon().addon);
  let position = message.write(PREFIX, 0, 'latin1');
  position += write(start, message, position);
  position += write(data.subarray(borrowedBytes), message, position);
  message.write(suffix, position);
  return message;
}

function takeScratch(bytes: number): Buffer {
  if (bytes > MAX_KEPT_BYTES) return Buffer.allocUnsafeSlow(bytes);
  if (scratch.length < bytes) scratch = Buffer.allocUnsafeSlow(Math.min(2 * bytes, MAX_KEPT_BYTES));
  return scratch.subarray(0, bytes);
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

/** A chunk of odd length is padded (RIFF). */
function toUlaw(pcm: Int16Array): Uint8Array {
  const codes = new Uint8Array(pcm.length + (pcm.length % 2));
  G711.encodeUlaw(pcm, codes.subarray(0, pcm.length));
  return codes;
}

/** The samples as little-endian bytes, which they are in memory on every machine that Node runs on. */
function bytesOf(pcm: Int16Array): Uint8Array {
  return new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
}
