import { errno } from '../errno.ts';
import { ethernetBytes } from '../packet.ts';
import type { Runtime } from '../runtime.ts';
import { signed, unsigned, type HelperCall } from './call.ts';

const verdict = {
  skb: { shot: 2, redirect: 7 }, xdp: { aborted: 0, redirect: 4 },
} as const;
const ingressFlag = 1;
const neighbourBytes = 20;

// At tc the device is looked for after the program has ended, so any number is taken here.
const redirect: HelperCall = {
  name: 'redirect', takes: ['word', 'flags'], gives: 'status',
  call(runtime, words) {
    const flags = signed(words, 1);
    const isXdp = runtime.packet.kind === 'xdp';
    if (isXdp && flags !== 0) return verdict.xdp.aborted;
    if ((flags & ~ingressFlag) !== 0) return verdict.skb.shot;
    const ingress = (flags & ingressFlag) !== 0;
    const ifindex = unsigned(words, 0);
    runtime.redirect = { kind: 'device', ifindex, ingress };
    return isXdp ? verdict.xdp.redirect : verdict.skb.redirect;
  },
};

const redirectNeighbour: HelperCall = {
  name: 'redirect_neigh', takes: ['word', 'word', 'word', 'flags'], gives: 'status',
  call(runtime, words) {
    const address = unsigned(words, 1);
    const length = signed(words, 2);
    runtime.memory.checkRead({ address, length: Math.max(0, length) });
    const isShort = length !== 0 && length < neighbourBytes;
    if (isShort || signed(words, 3) !== 0) return verdict.skb.shot;
    const ifindex = unsigned(words, 0);
    runtime.redirect = { kind: 'neighbour', ifindex, ingress: false };
    return verdict.skb.redirect;
  },
};

const redirectPeer: HelperCall = {
  name: 'redirect_peer', takes: ['word', 'flags'], gives: 'status',
  call(runtime, words) {
    if (signed(words, 1) !== 0) return verdict.skb.shot;
    const ifindex = unsigned(words, 0);
    runtime.redirect = { kind: 'peer', ifindex, ingress: false };
    return verdict.skb.redirect;
  },
};

const routeRequestBytes = 64;
/** BPF_FIB_LOOKUP_DIRECT, OUTPUT, SKIP_NEIGH, TBID, SRC, MARK. */
const routeFlags = 0x3f;

const fibLookup: HelperCall = {
  name: 'fib_lookup', takes: ['unused', 'word', 'word', 'word'], gives: 'status',
  call(runtime, words) {
    const address = unsigned(words, 0);
    const length = signed(words, 1);
    const flags = unsigned(words, 2);
    if (length < routeRequestBytes || (flags & ~routeFlags) !== 0) return -errno.EINVAL;
    runtime.memory.checkWrite({ address, length: routeRequestBytes });
    return runtime.host.routeLookup(runtime.memory.bytes, address, flags);
  },
};

const mtuResult = { success: 0, fragmentationNeeded: 1 } as const;
const segmentsFlag = 1;

const checkMtu: HelperCall = {
  name: 'check_mtu', takes: ['unused', 'word', 'word', 'word', 'flags'], gives: 'status',
  call(runtime, words) {
    const [address, difference] = [unsigned(words, 1), signed(words, 2)];
    const flags = signed(words, 3);
    runtime.memory.checkWrite({ address, length: 4 });
    const given = runtime.memory.view.getUint32(address, true);
    const legal = runtime.packet.kind === 'xdp' ? 0 : segmentsFlag;
    if ((flags & ~legal) !== 0) return -errno.EINVAL;
    if (flags !== 0 && (difference !== 0 || given !== 0)) return -errno.EINVAL;
    const mtu = runtime.host.mtu(unsigned(words, 0));
    if (mtu === undefined) return -errno.ENODEV;
    runtime.memory.view.setUint32(address, mtu, true);
    const length = given === 0 ? runtime.packet.length : given + ethernetBytes;
    const fits = length + difference <= mtu + ethernetBytes;
    return fits ? mtuResult.success : mtuResult.fragmentationNeeded;
  },
};

const random: HelperCall = {
  name: 'get_prandom_u32', takes: [], gives: 'word',
  call: (runtime) => runtime.host.random(),
};

const socketCookie: HelperCall = {
  name: 'get_socket_cookie', takes: ['unused'], gives: 'number',
  call: (runtime) => runtime.host.socketCookie(),
};

const namespaceCookie: HelperCall = {
  name: 'get_netns_cookie', takes: ['word'], gives: 'number',
  call: (runtime, words) => runtime.host.namespaceCookie(words[0] === 0),
};

const getReturn: HelperCall = {
  name: 'get_retval', takes: [], gives: 'status',
  call: (runtime) => runtime.returnCode,
};

const setReturn: HelperCall = {
  name: 'set_retval', takes: ['word'], gives: 'status',
  call(runtime, words) {
    runtime.returnCode = signed(words, 0);
    return 0;
  },
};

export const worldHelpers: ReadonlyMap<number, HelperCall> = new Map([
  [7, random], [23, redirect], [46, socketCookie], [69, fibLookup], [122, namespaceCookie],
  [152, redirectNeighbour], [155, redirectPeer], [163, checkMtu], [186, getReturn],
  [187, setReturn],
]);

/** The last redirect of a run counts; a new run begins without one. */
export function forgetWorld(runtime: Runtime): void {
  runtime.redirect = undefined;
  runtime.returnCode = 0;
}
