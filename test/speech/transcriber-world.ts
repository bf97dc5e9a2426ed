import { setImmediate } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { GatewayError } from '../../src/core/errors.ts';
import { AccountGuard } from '../../src/platform/account-guard.ts';
import { PlatformError } from '../../src/platform/platform-errors.ts';
import type { SttConnection } from '../../src/speech/socket-pool.ts';
import { Transcriber, type TranscriberOptions, type Transcript } from '../../src/speech/transcriber.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** A connection whose every answer the test gives. */
export class FakeConnection implements SttConnection {
  readonly frames: string[] = [];
  isClosed = false;
  readonly #onClosed: (error: GatewayError | undefined) => void;
  #pending: { resolve: (text: string) => void; reject: (error: Error) => void } | undefined;

  constructor(onClosed: (error: GatewayError | undefined) => void) {
    this.#onClosed = onClosed;
  }

  get usable(): boolean {
    return !this.isClosed && this.#pending === undefined;
  }

  transcribe(frame: Buffer): Promise<string> {
    assert.ok(this.usable, 'one request at a time');
    this.frames.push(frame.toString());
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
    });
  }

  answer(text: string): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending!.resolve(text);
  }

  refuse(error: GatewayError): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending!.reject(error);
  }

  /** The connection is gone, with `error` unless it closed in good order. */
  lose(error?: GatewayError): void {
    this.isClosed = true;
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(error ?? new PlatformError('ERR_PLATFORM_UNAVAILABLE', 'closed'));
    this.#onClosed(error);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#pending?.reject(new GatewayError('ERR_ABORTED', 'closed'));
    this.#pending = undefined;
    this.#onClosed(undefined);
  }
}

export interface World {
  readonly clock: FakeClock;
  readonly guard: AccountGuard;
  readonly transcriber: Transcriber;
  readonly connections: FakeConnection[];
  /** What the next attempts to connect meet; none: success. */
  readonly refusals: Error[];
  readonly attempts: () => number;
  readonly submit: (text: string, callId?: string) => Promise<Transcript>;
  /** Lets everything happen that needs no time. */
  readonly settle: () => Promise<void>;
}

export function makeWorld(options: Partial<TranscriberOptions> = {}): World {
  const clock = new FakeClock();
  const guard = new AccountGuard();
  const connections: FakeConnection[] = [];
  const refusals: Error[] = [];
  let attempts = 0;
  const transcriber = new Transcriber({
    connect: async (onClosed) => {
      attempts++;
      const refusal = refusals.shift();
      if (refusal) throw refusal;
      const connection = new FakeConnection(onClosed);
      connections.push(connection);
      return connection;
    },
    // The first sample names the utterance.
    encode: (pcm, sampleRate) => Buffer.from(`${String.fromCharCode(pcm[0]!)}@${sampleRate}`),
    clock,
    guard,
    random: () => 0.5,
    ...options,
  });
  return {
    clock,
    guard,
    transcriber,
    connections,
    refusals,
    attempts: () => attempts,
    submit: (text, callId = 'call') =>
      transcriber.submit({
        id: text,
        callId,
        pcm: Int16Array.of(text.charCodeAt(0)),
        sampleRate: 8000,
        startMs: 0,
        endMs: 1_000,
        decidedAtMs: clock.nowMs(),
      }),
    settle: async () => {
      for (let turn = 0; turn < 3; turn++) await setImmediate();
    },
  };
}

export const unavailable: PlatformError = new PlatformError('ERR_PLATFORM_UNAVAILABLE', 'the connection was cut');
export const rate = (retryAfterMs?: number): PlatformError =>
  new PlatformError('ERR_PLATFORM_RATE', 'the platform answered 429', { retryAfterMs });
