import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { toError } from './errors.ts';

/** What `native/addon.cc` exports. Each primitive has its wrapper beside its twin; nothing else calls these. */
export interface NativeAddon {
  /** `law`: 0 is µ-law, 1 A-law. */
  g711Encode(law: number, pcm: Int16Array, codes: Uint8Array): void;
  g711Decode(law: number, codes: Uint8Array, pcm: Int16Array): void;
  /** @returns how many characters were written. */
  base64Encode(bytes: Uint8Array, out: Uint8Array, offset: number): number;
  /** Of the kernel's memory. */
  readonly pageBytes: number;
  /**
   * Both sizes are rounded up to whole pages; the buffer is the prefix, then the ring twice.
   *
   * @throws Error - when memory or mappings are exhausted.
   */
  createRing(prefixBytes: number, sizeBytes: number): { readonly id: number; readonly buffer: ArrayBuffer };
  /** @throws RangeError - if no thread holds the ring any more. */
  attachRing(id: number): ArrayBuffer;
  /** Keeps the arrays; their memory must stay theirs. */
  readonly DecodeBatch: new (
    codes: Uint8Array,
    jobs: Int32Array,
    filters: Float64Array,
    results: Float64Array,
  ) => NativeDecodeBatch;
  readonly MediaTransport: new (nowMs: number, onWake: () => void) => NativeMediaTransport;
  /** The numbers of `native/media-layout.h`. */
  readonly mediaLayout: Readonly<Record<string, number>>;
}

/** The class of that name in `native/addon-batch.cc`; `src/audio/decode-batch.ts` is its only user. */
export interface NativeDecodeBatch {
  /** Carries out jobs number `from` up to `to`. @throws RangeError - before any of them, if one is not within its memory. */
  run(from: number, to: number): void;
  /** Keeps `samples` until `detach`. */
  attach(lane: number, samples: Int16Array, capacitySamples: number): void;
  detach(lane: number): void;
}

/** The class of that name in `native/addon-media.cc`; `src/rtp/native-transport.ts` is its only user. */
export interface NativeMediaTransport {
  /** Control block, then the packet ring twice. */
  readonly control: ArrayBuffer;
  /** Whether the media thread runs with SCHED_FIFO. */
  readonly fifo: boolean;
  /** @returns `portId * 65536 + rtpPort`, or the negative number of the system's error. */
  open(address: number, rtpPort: number): number;
  chunk(index: number): ArrayBuffer;
  setRemote(portId: number, rtp: number, rtcp: number): void;
  startSending(
    portId: number,
    ssrc: number,
    sequenceNumber: number,
    timestamp: number,
    ptimeMs: number,
    timestampStep: number,
    silence: Uint8Array,
    silencePayloadType: number,
  ): void;
  reconfigure(
    portId: number,
    ptimeMs: number,
    timestampStep: number,
    silence: Uint8Array,
    silencePayloadType: number,
  ): void;
  sendRtcp(portId: number, bytes: Uint8Array): boolean;
  closePort(portId: number): void;
  keepAlive(on: boolean): void;
  close(): void;
}

/** Why there is no addon, for the one warning that is worth a line. */
export interface AddonProblem {
  readonly found: string;
  readonly needed: string;
  readonly cure: string;
}

export type AddonState =
  | { readonly addon: NativeAddon; readonly problem?: undefined }
  | { readonly addon?: undefined; readonly problem: AddonProblem };

const NEEDED = 'the native addon, which npm builds on Linux when it finds g++, make and python3';
const CURE = 'install these and run `npm run build:native`; until then the slower TypeScript twins do its work';

let state: AddonState | undefined;

/** Loads the addon on the first call; later calls, in the same thread, answer the same. Never throws. */
export function loadAddon(): AddonState {
  state ??= load();
  return state;
}

function load(): AddonState {
  // `src/core` and `dist/core` are equally deep.
  const path = fileURLToPath(new URL('../../build/Release/hamsa_gateway.node', import.meta.url));
  if (!existsSync(path)) return { problem: { found: `there is no ${path}`, needed: NEEDED, cure: CURE } };
  try {
    return { addon: createRequire(import.meta.url)(path) as NativeAddon };
  } catch (thrown) {
    return { problem: { found: toError(thrown).message, needed: NEEDED, cure: CURE } };
  }
}
