/** The part of the WebRTC voice activity detector's wasm port that is used; pointers are byte offsets into its heap. */
declare module '@echogarden/fvad-wasm' {
  export interface FvadModule {
    /** Replaced when the heap grows: read it anew for each use. */
    readonly HEAP16: Int16Array;
    _malloc(bytes: number): number;
    /** 0 if there is no memory. */
    _fvad_new(): number;
    _fvad_free(detector: number): void;
    /** Also puts mode and sample rate back to their defaults. */
    _fvad_reset(detector: number): void;
    /** 0 for success. Modes go from 0, which misses least, to 3, which is fooled least. */
    _fvad_set_mode(detector: number, mode: number): number;
    /** 0 for success. */
    _fvad_set_sample_rate(detector: number, sampleRate: number): number;
    /** 1 for voice, 0 for none, −1 for a frame that is not 10, 20 or 30 ms long. */
    _fvad_process(detector: number, frame: number, lengthSamples: number): number;
  }

  /** Reads the wasm file and instantiates it. */
  export default function instantiate(): Promise<FvadModule>;
}
