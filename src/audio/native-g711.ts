import type { NativeAddon } from '../core/addon.ts';
import { G711, type G711Codec, type Law } from './g711.ts';

const LAW_NUMBER: Readonly<Record<Law, number>> = { ulaw: 0, alaw: 1 };

/** Where a call into the addon costs less than coding in JavaScript: the call alone takes as long as this many samples. */
const NATIVE_FROM_SAMPLES = 320;

/** `G711` with the addon's vector code for long buffers: whole replies and utterances. Packets go through `DecodeBatch`. */
export function nativeG711(addon: NativeAddon): G711Codec {
  const encode = (law: Law, pcm: Int16Array, out: Uint8Array): void => {
    if (pcm.length < NATIVE_FROM_SAMPLES) G711.encode(law, pcm, out);
    else addon.g711Encode(LAW_NUMBER[law], pcm, out);
  };
  const decode = (law: Law, codes: Uint8Array, out: Int16Array): void => {
    if (codes.length < NATIVE_FROM_SAMPLES) G711.decode(law, codes, out);
    else addon.g711Decode(LAW_NUMBER[law], codes, out);
  };
  return {
    ...G711,
    encode,
    decode,
    encodeUlaw: (pcm, out) => encode('ulaw', pcm, out),
    decodeUlaw: (codes, out) => decode('ulaw', codes, out),
    encodeAlaw: (pcm, out) => encode('alaw', pcm, out),
    decodeAlaw: (codes, out) => decode('alaw', codes, out),
  };
}
