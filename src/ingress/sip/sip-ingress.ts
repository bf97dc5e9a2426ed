import type { HostPort } from '../../core/addresses.ts';
import type { Clock } from '../../core/clock.ts';
import { type GatewayError, toError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { MediaTransport } from '../../rtp/transport.ts';
import type { SipCounters } from '../../sip/counters.ts';
import type { IncomingCall } from '../../sip/incoming-call.ts';
import type { SocketAddress } from '../../sip/socket-address.ts';
import { SipUserAgent } from '../../sip/user-agent.ts';
import type { Leg } from '../leg.ts';
import { RoutedAddress } from '../routed-address.ts';
import { SipLeg } from './sip-leg.ts';

export interface SipIngressOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly address: HostPort;
  readonly allow: readonly string[];
  readonly advertisedAddress: string | undefined;
  /** Owned: closed with the ingress. */
  readonly transport: MediaTransport;
  readonly mediaTimeoutMs: number;
  readonly maxCalls: number;
  /** Why a new call is not to be answered; undefined: it is. */
  readonly refusal?: (() => GatewayError | undefined) | undefined;
  readonly onLeg: (leg: Leg) => void;
}

/** The SIP server: each INVITE becomes a {@link SipLeg}. */
export class SipIngress {
  readonly #options: SipIngressOptions;
  readonly #routed: RoutedAddress;
  readonly #agent: SipUserAgent;
  /** Calls whose BYE the peer has not answered yet. */
  readonly #goodbyes = new Set<Promise<void>>();

  constructor(options: SipIngressOptions) {
    const { address, advertisedAddress, clock, allow, maxCalls, logger } = options;
    this.#options = options;
    this.#routed = new RoutedAddress(advertisedAddress ?? (address.host === '0.0.0.0' ? undefined : address.host));
    this.#agent = new SipUserAgent({
      clock,
      localAddress: address.host,
      port: address.port,
      allow,
      userAgent: 'hamsa-gateway',
      maxCalls,
      advertisedAddress: (peer) => this.#routed.of(peer),
      onInvite: (call) => void this.#receive(call),
      onError: (error) => logger.error({ error }, 'a SIP callback failed'),
    });
  }

  get counters(): Readonly<SipCounters> {
    return this.#agent.counters;
  }

  get openMediaPorts(): number {
    return this.#options.transport.openPorts;
  }

  /** @throws GatewayError `ERR_LISTEN` */
  listen(): Promise<SocketAddress> {
    return this.#agent.listen();
  }

  /** Refuses new calls with 503. */
  setDraining(draining: boolean): void {
    this.#agent.setDraining(draining);
  }

  /** Waits at most `waitMs` until peers have answered our BYEs, then closes. The owner has hung up its legs before. */
  async close(waitMs: number): Promise<void> {
    const timeUp = new Promise<void>((resolve) => {
      this.#options.clock.after(waitMs, resolve);
    });
    await Promise.race([Promise.all(this.#goodbyes), timeUp]);
    await this.#agent.close();
    await this.#options.transport.close();
  }

  async #receive(call: IncomingCall): Promise<void> {
    const { clock, transport, mediaTimeoutMs, logger, refusal, onLeg } = this.#options;
    try {
      const localAddress = await this.#routed.learn(call.source.address);
      const onGone = (goodbye: Promise<void>): void => {
        this.#goodbyes.add(goodbye);
        void goodbye.finally(() => this.#goodbyes.delete(goodbye));
      };
      onLeg(new SipLeg({ call, clock, transport, localAddress, mediaTimeoutMs, refusal, onGone }));
    } catch (thrown) {
      logger.error({ error: toError(thrown) }, 'a call could not be taken');
      call.reject(500);
    }
  }
}
