import { loadAddon } from '../core/addon.ts';
import type { Clock } from '../core/clock.ts';
import { toError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Settings } from '../core/settings-table.ts';
import { DgramTransport } from '../rtp/dgram-transport.ts';
import { NativeTransport } from '../rtp/native-transport.ts';
import type { MediaTransport } from '../rtp/transport.ts';

/**
 * The media transport that the settings ask for, on the address that SIP is on. Where the addon can not be loaded its
 * twin takes its place, with one warning.
 */
export function openMediaTransport(settings: Settings, clock: Clock, logger: Logger): MediaTransport {
  const options = { localAddress: settings.gatewaySip.host, portRange: settings.gatewayRtpPorts };
  if (settings.gatewayRtpTransport === 'native') {
    const { addon, problem } = loadAddon();
    try {
      if (addon) return new NativeTransport(options, clock, addon);
      logger.warn(problem, 'RTP is paced on the event loop: no native addon');
    } catch (thrown) {
      logger.warn({ error: toError(thrown) }, 'RTP is paced on the event loop: the native addon can not be used');
    }
  }
  return new DgramTransport(options, clock);
}
