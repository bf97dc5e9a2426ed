import type { Clock } from '../core/clock.ts';
import type { Settings } from '../core/settings-table.ts';
import { DgramTransport } from '../rtp/dgram-transport.ts';
import type { MediaTransport } from '../rtp/transport.ts';

/** The media transport that the settings ask for, on the address that SIP is on. */
export function openMediaTransport(settings: Settings, clock: Clock): MediaTransport {
  return new DgramTransport({ localAddress: settings.gatewaySip.host, portRange: settings.gatewayRtpPorts }, clock);
}
