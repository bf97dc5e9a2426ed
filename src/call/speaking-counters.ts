import { BargeInCounters } from '../speech/barge-in.ts';

/** What happened to the replies of all calls. */
export class SpeakingCounters extends BargeInCounters {
  /** How often a caller heard silence because audio came too late. */
  underruns = 0;
}
