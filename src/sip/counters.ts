/** What the user agent has seen and done since it was made; each only grows. */
export interface SipCounters {
  /** Datagrams from allowed peers. */
  received: number;
  sent: number;
  /** Datagrams from peers outside the allow list, dropped unread. */
  notAllowed: number;
  keepAlives: number;
  /** Messages that break the grammar, answered or not. */
  malformed: number;
  /** Requests that came again and were answered from memory. */
  retransmissionsReceived: number;
  /** Messages sent again because no answer came. */
  retransmissionsSent: number;
  /** Responses that belong to no request of ours. */
  strayResponses: number;
  /** ACKs that belong to no dialog or to no answer that waits for one. */
  strayAcks: number;
  /** Client transactions that nobody answered and 2xx answers that nobody acknowledged. */
  timeouts: number;
  /** Requests that reached us over two paths (482). */
  merged: number;
  /** Requests refused with 503 because a bound was reached. */
  refusedFull: number;
  refusedDraining: number;
  /** Exceptions of the application's callbacks. */
  applicationErrors: number;
  /** Exceptions of the user agent itself: each is a defect. */
  internalErrors: number;
  /** Datagrams that the system did not take. */
  transportErrors: number;
}

export function newCounters(): SipCounters {
  return {
    received: 0,
    sent: 0,
    notAllowed: 0,
    keepAlives: 0,
    malformed: 0,
    retransmissionsReceived: 0,
    retransmissionsSent: 0,
    strayResponses: 0,
    strayAcks: 0,
    timeouts: 0,
    merged: 0,
    refusedFull: 0,
    refusedDraining: 0,
    applicationErrors: 0,
    internalErrors: 0,
    transportErrors: 0,
  };
}
