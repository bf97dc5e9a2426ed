import type { HeaderField } from './message.ts';

/** Methods that are served. */
export const ALLOWED_METHODS: readonly string[] = ['INVITE', 'ACK', 'CANCEL', 'BYE', 'OPTIONS', 'INFO'];

/** Methods that are known and refused with 405; anything else is 501. */
export const KNOWN_METHODS: readonly string[] = [
  ...ALLOWED_METHODS,
  'REGISTER',
  'SUBSCRIBE',
  'NOTIFY',
  'PUBLISH',
  'MESSAGE',
  'REFER',
  'UPDATE',
  'PRACK',
];

export const SDP_TYPE = 'application/sdp';
export const DTMF_RELAY_TYPE = 'application/dtmf-relay';

export const ALLOW: HeaderField = { name: 'Allow', value: ALLOWED_METHODS.join(', ') };
export const ACCEPT_SDP: HeaderField = { name: 'Accept', value: SDP_TYPE };
export const ACCEPT_DTMF: HeaderField = { name: 'Accept', value: DTMF_RELAY_TYPE };
export const SDP_CONTENT: HeaderField = { name: 'Content-Type', value: SDP_TYPE };
/** No extension of SIP is needed or offered. */
export const SUPPORTED: HeaderField = { name: 'Supported', value: '' };
/** What a 2xx to OPTIONS tells (RFC 3261 section 11.2). */
export const CAPABILITIES: readonly HeaderField[] = [ALLOW, ACCEPT_SDP, SUPPORTED];
/** Seconds after which a refused peer may try again. */
export const RETRY_LATER: HeaderField = { name: 'Retry-After', value: '10' };
