import type { Clock } from '../../src/core/clock.ts';

/** One stretch of voice of a caller, on the clock of the simulation. */
export interface Fragment {
  readonly startMs: number;
  readonly endMs: number;
  /** Whether the caller's turn ends with it. */
  readonly endsTurn: boolean;
}

const TURN_PERIOD_MS = 15_000;
const FRAGMENTS = 3;
const FRAME_MS = 20;

/** What a caller says in `durationMs`: four turns a minute of three fragments each, with pauses of 0.3 to 0.7 s. */
export function callerFragments(durationMs: number, random: () => number): Fragment[] {
  const fragments: Fragment[] = [];
  const offsetMs = random() * TURN_PERIOD_MS;
  for (let turnMs = offsetMs; turnMs < durationMs; turnMs += TURN_PERIOD_MS) {
    let startMs = turnMs + random() * 5_000;
    for (let number = 1; number <= FRAGMENTS; number++) {
      const endMs = startMs + 800 + random() * 1_200;
      fragments.push({ startMs, endMs, endsTurn: number === FRAGMENTS });
      startMs = endMs + 300 + random() * 400;
    }
  }
  return fragments;
}

/** What the end of speech was decided for. */
export interface Segment {
  readonly startMs: number;
  readonly endMs: number;
  readonly endsTurn: boolean;
}

/** Tells of each segment when `endSilenceMs`, as it is at that moment, has passed since its last voice. */
export function segment(
  fragments: readonly Fragment[],
  clock: Clock,
  endSilenceMs: () => number,
  onSegment: (segment: Segment) => void,
): void {
  let open: Segment | undefined;
  let next = 0;
  clock.every(FRAME_MS, () => {
    const nowMs = clock.nowMs();
    const fragment = fragments[next];
    if (fragment && nowMs >= fragment.startMs) {
      open = { startMs: open?.startMs ?? fragment.startMs, endMs: fragment.endMs, endsTurn: fragment.endsTurn };
      next++;
    }
    if (!open || nowMs - open.endMs < endSilenceMs()) return;
    const ended = open;
    open = undefined;
    onSegment(ended);
  });
}
