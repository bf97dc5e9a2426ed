/** Timer values of RFC 3261 table 4 and RFC 6026, in milliseconds, for an unreliable transport. */

/** Estimate of the round-trip time; first retransmission interval. */
export const T1_MS = 500;
/** Longest interval between two retransmissions of a non-INVITE request or of a response to an INVITE. */
export const T2_MS = 4_000;
/** How long a message may stay in the network. */
export const T4_MS = 5_000;
/** 64*T1: timers B, F, H, J, L and M, and how long a 2xx is repeated without an ACK. */
export const TRANSACTION_TIMEOUT_MS: number = 64 * T1_MS;
/** Timer D: at least 32 s for unreliable transports. */
export const TIMER_D_MS = 32_000;
/** A ringing UAS repeats its provisional response so that no proxy gives the call up (RFC 3261 section 13.3.1.1). */
export const RING_REFRESH_MS = 60_000;
