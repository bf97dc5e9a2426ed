import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { LATENCY_WORDS, type LatencyWord } from '../call/timeline.ts';

/** A number that some part of the gateway keeps; read when `/metrics` is asked for. */
export interface Measurement {
  readonly name: string;
  readonly kind: 'counter' | 'gauge';
  readonly help: string;
  readonly read: () => number;
}

const LATENCY_BUCKETS_S = [0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30];

/** Metric of one latency word: `hamsa_gateway_stt_queue_seconds`. */
export function latencyMetricName(word: LatencyWord): string {
  return `hamsa_gateway_${word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_seconds`;
}

/** What `/metrics` shows, in Prometheus' text format. */
export class Metrics {
  readonly registry: Registry = new Registry();
  readonly #latencies = new Map<LatencyWord, Histogram>();

  constructor(measurements: readonly Measurement[]) {
    for (const { name, kind, help, read } of measurements) {
      const registers = [this.registry];
      if (kind === 'gauge') {
        new Gauge({
          name,
          help,
          registers,
          collect() {
            this.set(read());
          },
        });
      } else {
        new Counter({
          name,
          help,
          registers,
          collect() {
            this.reset();
            this.inc(read());
          },
        });
      }
    }
    for (const [word, help] of Object.entries(LATENCY_WORDS) as [LatencyWord, string][]) {
      const name = latencyMetricName(word);
      this.#latencies.set(word, new Histogram({ name, help, buckets: LATENCY_BUCKETS_S, registers: [this.registry] }));
    }
  }

  observe(word: LatencyWord, ms: number): void {
    this.#latencies.get(word)?.observe(ms / 1000);
  }
}
