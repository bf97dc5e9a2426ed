/** Totals over all voice agent sessions that share them. */
export class AgentCounters {
  /** Conversations that are up. */
  active = 0;
  /** Conversations that were begun. */
  sessions = 0;
  /** Conversations that ended because something failed. */
  failed = 0;
  /** Links that were lost within a conversation. */
  linksLost = 0;
  /** Links that came back. */
  reconnects = 0;
  /** Messages of agents that could not be understood, and were ignored. */
  badFrames = 0;
  /** Audio of callers that no agent was sent, because a link was down or too slow. */
  droppedUpMs = 0;
  /** Audio of agents that was not played, because too much of it waited already. */
  droppedDownMs = 0;
  /** Client-side tools that were called, and calls that were answered with an error. */
  toolCalls = 0;
  toolErrors = 0;
}
