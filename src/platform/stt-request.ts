import { G711 } from '../audio/g711.ts';
import { Resampler } from '../audio/resampler.ts';
import { wavHeader } from '../audio/wav.ts';
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

/**
 * The text message that asks for the transcript of one utterance: `pcm` at `sampleRate` as a WAV file in base64.
 * The audio goes straight into the one buffer that is sent; nothing of its size is built as a string.
 */
export function buildSttRequest(pcm: Int16Array, sampleRate: number, options: SttRequestOptions): Buffer {
  const { format, sampleRate: sentRate } = FORMATS[options.format];
  const samples = sampleRate === sentRate ? pcm : Resampler.resample(pcm, sampleRate, sentRate);
  const data = format === 'mulaw' ? toUlaw(samples) : bytesOf(samples);
  const header = wavHeader({ format, sampleRate: sentRate, dataBytes: data.length });
  const padding = new Uint8Array(data.length % 2);

  const suffix = `"${fieldsAfterAudio(options)}}}`;
  const base64Bytes = Math.ceil((header.length + data.length + padding.length) / 3) * 4;
  const message = Buffer.allocUnsafe(PREFIX.length + base64Bytes + Buffer.byteLength(suffix));
  message.write(PREFIX, 0, 'latin1');
  writeBase64(message, PREFIX.length, [header, data, padding]);
  message.write(suffix, PREFIX.length + base64Bytes);
  return message;
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

/** A multiple of 3. Strings of this size stay in the young generation: one of the whole audio costs ten times as much. */
const BLOCK_BYTES = 12_288;
const block = Buffer.alloc(BLOCK_BYTES);

/** Writes the base64 of all `parts` behind one another to `out` from `offset` on. */
function writeBase64(out: Buffer, offset: number, parts: readonly Uint8Array[]): void {
  let position = offset;
  let filled = 0;
  for (const part of parts) {
    for (let taken = 0; taken < part.length; ) {
      const length = Math.min(part.length - taken, BLOCK_BYTES - filled);
      block.set(part.subarray(taken, taken + length), filled);
      taken += length;
      filled += length;
      if (filled < BLOCK_BYTES) continue;
      position += out.write(block.toString('base64', 0, filled), position, 'latin1');
      filled = 0;
    }
  }
  out.write(block.toString('base64', 0, filled), position, 'latin1');
}
