import { setImmediate } from 'node:timers/promises';
import { G711 } from '../../src/audio/g711.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { FrameSender } from '../../src/rtp/transport.ts';
import { type PAUSE, Playout, type PlayoutOptions, type SENTENCE_END } from '../../src/speech/playout.ts';
import { FakeClock } from '../support/fake-clock.ts';

export interface Frame {
  readonly payload: Uint8Array;
  readonly payloadType: number;
  readonly timestampStep: number;
  readonly tag: number;
}

export const SILENCE = 'silence';

/** A send ring that leaves one frame per {@link FakeSender.send}, and tells the tap at once or in batches. */
export class FakeSender implements FrameSender {
  readonly capacityFrames = 64;
  readonly wire: (Frame | typeof SILENCE)[] = [];
  ring: Frame[] = [];
  untold: Frame[] = [];
  /** Whether the tap is told of each frame as it leaves. */
  tellsAtOnce = true;
  packetsSent = 0;
  octetsSent = 0;
  lastTimestamp = 0;
  lastSentMs = 0;
  playout: Playout | undefined;

  get queuedFrames(): number {
    return this.ring.length;
  }

  write(payload: Uint8Array, payloadType: number, timestampStep: number, _flags: number, tag: number): boolean {
    if (this.ring.length === this.capacityFrames) return false;
    this.ring.push({ payload: payload.slice(), payloadType, timestampStep, tag });
    return true;
  }

  flush(): number {
    const dropped = this.ring.length;
    this.ring = [];
    return dropped;
  }

  setPaused(): void {}
  reconfigure(): void {}

  /** One deadline: a frame or silence leaves, then the owner is ticked. */
  send(nowMs: number): void {
    const frame = this.ring.shift();
    this.wire.push(frame ?? SILENCE);
    this.lastSentMs = nowMs;
    if (frame) this.untold.push(frame);
    if (this.tellsAtOnce) this.tell();
    this.playout?.onTick(nowMs);
  }

  tell(): void {
    const told = this.untold;
    this.untold = [];
    for (const { tag } of told) this.playout?.onSent(tag, 0, this.lastSentMs);
  }
}

type Item = Int16Array | typeof SENTENCE_END | typeof PAUSE;

/** A source whose every chunk the test gives. */
export class FakeSource {
  signal: AbortSignal | undefined;
  /** Chunks that the playout has taken. */
  taken = 0;
  #chunks: Item[] = [];
  #end: 'open' | 'done' | Error = 'open';
  #wake: (() => void) | undefined;

  give(item: Item): void {
    this.#chunks.push(item);
    this.#wake?.();
  }

  end(error?: Error): void {
    this.#end = error ?? 'done';
    this.#wake?.();
  }

  readonly open = (signal: AbortSignal): AsyncIterable<Item> => {
    this.signal = signal;
    return this.#read(signal);
  };

  async *#read(signal: AbortSignal): AsyncGenerator<Item> {
    signal.addEventListener('abort', () => this.#wake?.());
    for (;;) {
      if (signal.aborted) throw new GatewayError('ERR_ABORTED', 'given up');
      const chunk = this.#chunks.shift();
      if (chunk) {
        this.taken++;
        yield chunk;
        continue;
      }
      if (this.#end instanceof Error) throw this.#end;
      if (this.#end === 'done') return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export interface World {
  readonly clock: FakeClock;
  readonly sender: FakeSender;
  readonly playout: Playout;
  /** What was told, in order: `started a`, `finished a 120`, `failed a 20 ERR_TTS_TORN`. */
  readonly told: string[];
  readonly play: (id: string) => FakeSource;
  /** `frames` deadlines, each followed by a turn of the event loop. */
  readonly run: (frames: number) => Promise<void>;
}

export function makeWorld(options: Partial<PlayoutOptions> = {}): World {
  const clock = new FakeClock();
  const sender = new FakeSender();
  const told: string[] = [];
  const playout = new Playout({
    sender,
    clock,
    format: { law: 'ulaw', payloadType: 0, ptimeMs: 20 },
    onStarted: (id) => told.push(`started ${id}`),
    onMark: (id, index, heardMs) => told.push(`mark ${id} ${index} ${heardMs}`),
    onFinished: (id, heardMs) => told.push(`finished ${id} ${heardMs}`),
    onInterrupted: (id, heardMs) => told.push(`interrupted ${id} ${heardMs}`),
    onFailed: (id, heardMs, error) => told.push(`failed ${id} ${heardMs} ${error.code}`),
    ...options,
  });
  sender.playout = playout;
  return {
    clock,
    sender,
    playout,
    told,
    play(id) {
      const source = new FakeSource();
      playout.play(id, source.open);
      return source;
    },
    async run(frames) {
      await setImmediate();
      for (let frame = 0; frame < frames; frame++) {
        clock.advance(20);
        sender.send(clock.nowMs());
        await setImmediate();
      }
    },
  };
}

/** `ms` of audio that is recognisable at every sample. */
export function audio(ms: number, seed = 1): Int16Array {
  return Int16Array.from({ length: ms * 8 }, (_, i) => ((i * 7919 + seed * 104_729) % 60_000) - 30_000);
}

/** µ-law codes of all audio frames that left, silence between them left out. */
export function codesOnWire(sender: FakeSender): number[] {
  return sender.wire.flatMap((frame) => (frame === SILENCE ? [] : [...frame.payload]));
}

/** What the ear hears: every frame that left, silence included. */
export function heard(sender: FakeSender): Int16Array {
  const codes = sender.wire.flatMap((frame) =>
    frame === SILENCE ? Array<number>(160).fill(G711.ULAW_SILENCE) : [...frame.payload],
  );
  const pcm = new Int16Array(codes.length);
  G711.decodeUlaw(Uint8Array.from(codes), pcm);
  return pcm;
}

/** `ms` of a tone that is loudest where packets of 10 ms end: a cut there is a step of 8000. */
export function toneOf(ms: number): Int16Array {
  return Int16Array.from({ length: ms * 8 }, (_, i) => Math.round(8000 * Math.cos((2 * Math.PI * 100 * i) / 8000)));
}

/** From sample to sample the tone moves by 628, what G.711 makes of it by 256 more, and a fade of 10 ms adds 100. */
export const TONE_STEP: number = 628 + 256 + 100;

/** The largest move from one sample to the next. */
export function largestStep(pcm: Int16Array): number {
  return pcm.reduce((step, sample, i) => Math.max(step, i === 0 ? 0 : Math.abs(sample - pcm[i - 1]!)), 0);
}

export function ulaw(pcm: Int16Array): Uint8Array {
  const codes = new Uint8Array(pcm.length);
  G711.encodeUlaw(pcm, codes);
  return codes;
}
