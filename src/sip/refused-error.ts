import { GatewayError } from '../core/errors.ts';

/** `ERR_SIP_REFUSED` with what the peer answered. */
export class SipRefusedError extends GatewayError {
  /** 300-699; 503 when the network did not take the request or the name is unknown (RFC 3261 section 8.1.3.1). */
  readonly status: number;

  constructor(status: number, reason: string, cause?: unknown) {
    super('ERR_SIP_REFUSED', { found: `${status} ${reason}`, cause });
    this.status = status;
  }
}
