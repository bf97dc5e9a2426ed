import { fieldValue, type HeaderField, type SipResponse } from './message.ts';
import { echoed, serializeMessage } from './serialize.ts';
import type { SocketAddress } from './socket-address.ts';
import { makeVia } from './via.ts';

/** A request of ours, ready to be sent but for its Via. */
export interface OutgoingRequest {
  readonly method: string;
  /** Request-URI. */
  readonly uri: string;
  /** All fields but Via, Max-Forwards and Content-Length. */
  readonly fields: readonly HeaderField[];
  readonly body?: Uint8Array;
  readonly destination: SocketAddress;
  /** Our address and port as this peer reaches them. */
  readonly sentBy: SocketAddress;
}

/**
 * @param branch of the transaction; a CANCEL and the ACK of a 300-699 share that of their INVITE.
 * @param product the User-Agent header, or nothing.
 */
export function serializeRequest(request: OutgoingRequest, branch: string, product: readonly HeaderField[]): Buffer {
  const hopFields = [
    { name: 'Via', value: makeVia(request.sentBy.address, request.sentBy.port, branch) },
    { name: 'Max-Forwards', value: '70' },
  ];
  const fields = [...hopFields, ...request.fields, ...product];
  return serializeMessage(`${request.method} ${request.uri} SIP/2.0`, fields, request.body);
}

/** The ACK of a response 300-699 (RFC 3261 section 17.1.1.3). */
export function ackOfFailure(invite: OutgoingRequest, response: SipResponse): OutgoingRequest {
  const to = { name: 'To', value: echoed(fieldValue(response, 'to') ?? '') };
  return hopByHop(invite, 'ACK', to);
}

/** RFC 3261 section 9.1: everything but the method as in the INVITE. */
export function cancelOf(invite: OutgoingRequest): OutgoingRequest {
  return hopByHop(invite, 'CANCEL');
}

const KEPT = ['Route', 'From', 'To', 'Call-ID', 'CSeq'];

function hopByHop(invite: OutgoingRequest, method: string, to?: HeaderField): OutgoingRequest {
  const fields = invite.fields
    .filter(({ name }) => KEPT.includes(name))
    .map((field) => {
      if (field.name === 'To' && to !== undefined) return to;
      return field.name === 'CSeq' ? { name: 'CSeq', value: field.value.replace('INVITE', method) } : field;
    });
  return { method, uri: invite.uri, fields, destination: invite.destination, sentBy: invite.sentBy };
}
