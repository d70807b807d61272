/**
 * Why media does not flow, told to the person who can do something about it. Pure: what the browser knows about a
 * connection goes in, three sentences come out.
 */

export interface ConnectionFacts {
  /** Whether this connection worked before. */
  wasConnected: boolean;
  /** Networks that the browser found on this computer. */
  localCandidates: number;
  /** Addresses at which the server said it listens. */
  remote: readonly { address: string; port: number; protocol: string }[];
  /** Answers to connectivity checks, over all pairs. */
  responses: number;
  /** Host part of the page's address. */
  pageHost: string;
}

export interface Explanation {
  title: string;
  reason: string;
  advice: string;
}

export function explain(facts: ConnectionFacts): Explanation {
  if (facts.wasConnected) return lost();
  if (facts.localCandidates === 0) return noNetwork();
  if (facts.responses > 0) return noHandshake();
  if (facts.remote.length > 0 && !isLocal(facts.pageHost)) {
    if (facts.remote.every(({ address }) => isLoopback(address))) return announcesItself(facts);
    if (facts.remote.every(({ address }) => isPrivate(address)) && isPublicAddress(facts.pageHost)) {
      return announcesPrivate(facts);
    }
  }
  return noAnswer(facts);
}

function lost(): Explanation {
  return {
    title: 'Video and sound were interrupted',
    reason: 'No packets come through any more. Your network changed, went down, or began to block them.',
    advice: 'Check your network. Studyhall keeps trying; everything comes back by itself as soon as it can.',
  };
}

function noNetwork(): Explanation {
  return {
    title: 'Video and sound cannot connect',
    reason:
      'Your browser offers no network for calls. An extension, a VPN or a policy may have turned WebRTC off.',
    advice: 'Turn off extensions that block WebRTC for this page, or use another browser, then try again.',
  };
}

function noHandshake(): Explanation {
  return {
    title: 'Video and sound cannot connect',
    reason: 'The server answers, but the encrypted connection to it could not be completed.',
    advice: 'A firewall or VPN may be changing the traffic. Try without the VPN, or from another network.',
  };
}

function announcesItself(facts: ConnectionFacts): Explanation {
  return {
    title: 'Video and sound cannot connect',
    reason: `The server tells browsers to reach it at ${listOf(facts)}, which means “this same computer”.`,
    advice: `Ask whoever runs this server to set MEDIASOUP_ANNOUNCED_IP to the address of ${facts.pageHost}.`,
  };
}

function announcesPrivate(facts: ConnectionFacts): Explanation {
  return {
    title: 'Video and sound cannot connect',
    reason: `The server tells browsers to reach it at ${listOf(facts)}, an address inside its own network.`,
    advice: `Ask whoever runs this server to set MEDIASOUP_ANNOUNCED_IP to its public address.`,
  };
}

function noAnswer(facts: ConnectionFacts): Explanation {
  const where = facts.remote.length === 0 ? 'the server' : `the server at ${listOf(facts)}`;
  return {
    title: 'Video and sound cannot connect',
    reason: `No answer came from ${where}. A firewall between you and it probably blocks this traffic.`,
    advice:
      'Try another network (a telephone’s hotspot, for example) or turn off your VPN. ' +
      'If it is your own network, allow outgoing traffic to that address and port.',
  };
}

function listOf({ remote }: ConnectionFacts): string {
  const shown = new Set(remote.map(({ address, port, protocol }) => `${address} (${protocol} port ${port})`));
  return [...shown].slice(0, 3).join(', ');
}

function isLocal(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || isLoopback(host.replace(/^\[|\]$/g, ''));
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address === '0.0.0.0' || address === '::';
}

/** RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291 §2.5.6. */
function isPrivate(address: string): boolean {
  return (
    isLoopback(address) ||
    /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(
      address,
    ) ||
    /^(f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:)/i.test(address)
  );
}

/** An address that is written out and public; a name tells nothing about where it leads. */
function isPublicAddress(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, '');
  return (/^\d+\.\d+\.\d+\.\d+$/.test(address) || address.includes(':')) && !isPrivate(address);
}
