/** A test's end of a call: what the peer sends once the gateway has answered, or has been answered. */
import type { IncomingCall } from '../../src/sip/incoming-call.ts';
import type { OutgoingCall } from '../../src/sip/outgoing-call.ts';
import type { CallOptions } from '../../src/sip/place-call.ts';
import type { SipUserAgentOptions } from '../../src/sip/user-agent.ts';
import { header, invite, type MessageOptions, OFFER, reply, request, type Setup, startAgent, tag } from './wire.ts';

export interface AnsweredSetup extends Setup {
  readonly call: IncomingCall;
  /** Names of the callbacks that ran, with what they were told. */
  readonly events: string[];
  /** A request of the peer within the dialog. */
  readonly inDialog: (method: string, options?: MessageOptions) => string;
}

/** An agent with one INVITE that the application has not answered yet. Nothing is left on the wire. */
export async function waitingCall(
  inviteOptions: MessageOptions = {},
  agentOptions: Partial<SipUserAgentOptions> = {},
): Promise<AnsweredSetup & { readonly inviteText: string }> {
  const calls: IncomingCall[] = [];
  const setup = await startAgent({ onInvite: (call) => calls.push(call), ...agentOptions });
  const inviteText = invite({ branch: 'z9hG4bKinvite', ...inviteOptions });
  setup.wire.receive(inviteText);
  setup.wire.take();
  const call = calls[0];
  if (call === undefined) throw new Error('The INVITE was not offered');
  const events: string[] = [];
  call.onCancelled = () => events.push('cancelled');
  call.onConfirmed = (answer) => events.push(answer === undefined ? 'confirmed' : 'confirmed with answer');
  call.onBye = () => events.push('bye');
  call.onFailed = (reason) => events.push(`failed ${reason}`);
  call.onInfoDigit = (digit, durationMs) => events.push(`digit ${digit} ${durationMs}`);
  call.onReinviteConfirmed = (answer) =>
    events.push(answer === undefined ? 'reinvite confirmed' : 'reinvite confirmed with answer');
  let cseq = 1;
  return {
    ...setup,
    call,
    events,
    inviteText,
    inDialog: (method, options) => {
      if (method !== 'ACK') cseq++;
      return request({ method, toTag: call.dialog.localTag, cseq, ...options });
    },
  };
}

/** An agent with one call that was answered and acknowledged. Nothing is left on the wire. */
export async function answeredCall(inviteOptions: MessageOptions = {}): Promise<AnsweredSetup> {
  const setup = await waitingCall(inviteOptions);
  setup.call.answer(OFFER);
  setup.wire.receive(setup.inDialog('ACK'));
  setup.wire.take();
  return setup;
}

export const CALL: CallOptions = { from: '"Gate" <sip:gateway@198.51.100.1>', offer: OFFER };

export interface CallingSetup extends Setup {
  readonly result: Promise<OutgoingCall>;
  readonly invite: string;
}

/** An agent that has sent an INVITE to the peer. Nothing is left on the wire. */
export async function calling(
  options: Partial<CallOptions> = {},
  agentOptions: Partial<SipUserAgentOptions> = {},
): Promise<CallingSetup> {
  const setup = await startAgent(agentOptions);
  const result = setup.agent.call('sip:bob@192.0.2.7:5070', { ...CALL, ...options });
  result.catch(() => {});
  return { ...setup, result, invite: setup.wire.takeOne() };
}

/** An agent whose call the peer has answered. Nothing is left on the wire. */
export async function calledPeer(agentOptions: Partial<SipUserAgentOptions> = {}): Promise<
  Setup & {
    readonly call: OutgoingCall;
    /** A request of the peer within the dialog. */
    readonly inDialog: (method: string, options?: MessageOptions) => string;
  }
> {
  const { result, invite: sent, ...setup } = await calling({}, agentOptions);
  setup.wire.receive(reply(sent, 200, { toTag: 'bob', extra: ['Contact: <sip:bob@192.0.2.7:5071>'], body: OFFER }));
  const call = await result;
  setup.wire.take();
  const ids = { callId: header(sent, 'Call-ID') ?? '', fromTag: 'bob', toTag: tag(header(sent, 'From')) };
  let cseq = 100;
  return { ...setup, call, inDialog: (method, options) => request({ method, ...ids, cseq: ++cseq, ...options }) };
}
