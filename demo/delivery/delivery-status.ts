import type { ConnectorState, ConnectorStatus } from '../../src/connect.ts';

const TEXTS: Readonly<Record<ConnectorState, string>> = {
  starting: 'Connecting…',
  running: 'Delivers.',
  offline: 'Offline: what comes waits for the network.',
  backingOff: 'Backs off: the server fails, and what comes waits.',
  unauthorized: 'The server does not know this user.',
  paused: 'Paused: what comes waits.',
  failed: 'Stopped.',
  closed: 'Connecting…', // while another connector is made
};

/** Says in words what this tab's connector does. `tabs`: how many deliver. */
export function deliveryStatus(isOn: boolean, status: ConnectorStatus | undefined, tabs: number) {
  if (!isOn) return 'Not connected.';
  const { state } = status ?? { state: 'starting' };
  if (state === 'running' && tabs > 1) return `Delivers, as one of ${tabs} tabs.`;
  return TEXTS[state];
}

/** The time to the next attempt in words; empty where none waits. */
export function nextAttempt(status: ConnectorStatus | undefined, now: number): string {
  if (status?.retryAt === undefined || status.state === 'failed') return '';
  const seconds = Math.ceil((status.retryAt - now) / 1000);
  return seconds > 0 ? `Next attempt in ${seconds} s.` : 'Tries again…';
}
