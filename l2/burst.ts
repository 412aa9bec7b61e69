import { familyOf, type Ip } from '../lb/ip.ts';
import type { Clock, Journal, LinkPort, Micros, Timer } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import { allNodes, broadcastMac, encodeArp, encodeNdp, groupMac, zeroMac } from './frames.ts';
import type { Link } from './links.ts';

const ms = 1000;
/** A1 and A2: instants of a burst after its start. */
const steps: Readonly<Record<'IPv4' | 'IPv6', readonly Micros[]>> = {
  IPv4: [0, 1100 * ms, 2200 * ms, 4400 * ms, 8800 * ms],
  IPv6: [0, 1100 * ms, 2200 * ms],
};
const failureDelay: Micros = 1000 * ms;
const failuresMax = 5;
/** A5: 2,000 frames a second, counted in windows so that a thousand addresses start evenly. */
const window: Micros = 100 * ms;
const framesPerWindow = 200;

export interface BurstHooks {
  readonly wake: (callback: () => void) => void;
  /** Asked right before every send (A3): held, before the fence, and the link usable. */
  link(address: Ip, name: string): Link | undefined;
  /** The last step of every link went out. */
  done(address: Ip): void;
  sent(address: Ip): void;
}

interface Job {
  readonly ip: Ip;
  readonly link: string;
  readonly base: Micros;
  step: number;
  /** A repetition is one step (A5); a defence is one frame, also amid a burst (l2.md 9.3). */
  readonly kind: 'burst' | 'repetition' | 'defence';
  due: Micros;
  failures: number;
}

export interface BurstPorts {
  readonly clock: Clock;
  readonly link: LinkPort;
  readonly journal: Journal;
}

/** The announcements that are still to be sent, paced (l2.md 9.2). */
export class Bursts {
  readonly #ports: BurstPorts;
  readonly #hooks: BurstHooks;
  #jobs = new Map<string, Job>();
  #timer: Timer | undefined;
  #timerDue = 0;
  #windowStart = 0;
  #windowFrames = 0;
  /** Sends that the port refused. */
  errors = 0;

  constructor(ports: BurstPorts, hooks: BurstHooks) {
    this.#ports = ports;
    this.#hooks = hooks;
  }

  /** Starts a full burst on one link, replacing one under way there (A4). */
  start(address: Ip, link: string): void {
    this.#add(address, link, 'burst');
  }

  /** One announcement on one link, unless a burst there is about to say the same. */
  repeat(address: Ip, link: string): void {
    if (!this.#jobs.has(`${address} ${link}`)) this.#add(address, link, 'repetition');
  }

  /** One frame on one link, at once, whatever else is under way there. */
  defend(address: Ip, link: string): void {
    this.#add(address, link, 'defence');
  }

  cancel(address: Ip, link?: string): void {
    for (const [key, job] of this.#jobs) {
      if (job.ip === address && (link === undefined || job.link === link)) this.#jobs.delete(key);
    }
  }

  /** True while a burst of `address` has steps left. */
  busy(address: Ip): boolean {
    return [...this.#jobs.values()].some((job) => job.ip === address && job.kind === 'burst');
  }

  #add(address: Ip, link: string, kind: Job['kind']): void {
    const now = this.#ports.clock.now();
    const job = { ip: address, link, kind, base: now, step: 0, due: now, failures: 0 };
    this.#jobs.set(keyOf(job), job);
    this.#arm(now);
  }

  #arm(due: Micros): void {
    const { clock } = this.#ports;
    if (this.#timer !== undefined && this.#timerDue <= due) return;
    this.#timer?.cancel();
    this.#timerDue = due;
    this.#timer = clock.after(Math.max(0, due - clock.now()), () => this.#hooks.wake(() => {
      this.#timer = undefined;
      this.#run();
    }));
  }

  #run(): void {
    const now = this.#ports.clock.now();
    const due = [...this.#jobs.values()].filter((job) => job.due <= now).sort(compareJobs);
    for (const job of due) {
      const key = keyOf(job);
      if (this.#jobs.get(key) !== job) continue;
      if (!this.#roomAt(now)) break;
      this.#send(job, key, now);
    }
    let next: Micros | undefined;
    for (const job of this.#jobs.values()) next = Math.min(next ?? job.due, job.due);
    if (next !== undefined) {
      this.#arm(Math.max(next, this.#roomAt(now) ? next : this.#windowStart + window));
    }
  }

  #roomAt(now: Micros): boolean {
    if (now >= this.#windowStart + window) {
      this.#windowStart = now;
      this.#windowFrames = 0;
    }
    return this.#windowFrames < framesPerWindow;
  }

  #send(job: Job, key: string, now: Micros): void {
    const link = this.#hooks.link(job.ip, job.link);
    if (link === undefined) {
      this.#jobs.delete(key);
      return this.#finished(job);
    }
    const frames = announcementFrames(job.ip, link);
    for (const frame of job.kind === 'defence' ? frames.slice(0, 1) : frames) {
      this.#windowFrames += 1;
      const sent = this.#ports.link.send(link.ifindex, frame);
      if (!sent.ok) {
        const reason = sent.error.kind;
        this.#count('l2_announce_errors_total', { reason });
        return this.#failed(job, key, now);
      }
    }
    const form = job.kind === 'burst' ? job.step === 0 ? 'first' : 'burst' : forms[job.kind];
    this.#count('l2_announcements_total', { ip: job.ip, form });
    job.failures = 0;
    this.#hooks.sent(job.ip);
    const offsets = steps[familyOf(job.ip)];
    job.step += 1;
    const offset = job.kind === 'burst' ? offsets[job.step] : undefined;
    if (offset === undefined) {
      this.#jobs.delete(key);
      return this.#finished(job);
    }
    // A step that waited for its turn moves the later ones, as receivers count from what they saw.
    job.due = Math.max(job.base + offset, now + ms);
  }

  #failed(job: Job, key: string, now: Micros): void {
    this.errors += 1;
    job.failures += 1;
    job.due = now + failureDelay;
    if (job.failures <= failuresMax) return;
    this.#jobs.delete(key);
    this.#finished(job);
  }

  #count(name: string, labels: Readonly<Record<string, string>>): void {
    this.#ports.journal.measure?.({ name, value: 1, labels });
  }

  #finished(job: Job): void {
    if (job.kind === 'burst' && !this.busy(job.ip)) this.#hooks.done(job.ip);
  }
}

/** What metrics call those outside of bursts. */
const forms = { repetition: 'repeat', defence: 'defence' } as const;

function keyOf({ ip, link, kind }: Pick<Job, 'ip' | 'link' | 'kind'>): string {
  return kind === 'defence' ? `${ip} ${link} defence` : `${ip} ${link}`;
}

/** A1: the GARP request, then the reply; A2: one unsolicited advertisement. Pure. */
export function announcementFrames(
  address: Ip, link: Pick<Link, 'mac' | 'linkLocal'>,
): Uint8Array[] {
  const { mac } = link;
  if (familyOf(address) === 'IPv4') {
    const common = {
      kind: 'arp', ethSource: mac, ethTarget: broadcastMac, senderMac: mac, senderIp: address,
      targetIp: address,
    } as const;
    return [
      encodeArp({ ...common, opcode: 1, targetMac: zeroMac }),
      // To Linux a reply with another target address is not gratuitous.
      encodeArp({ ...common, opcode: 2, targetMac: mac }),
    ];
  }
  return [encodeNdp({
    kind: 'advertisement', ethSource: mac, ethTarget: groupMac(allNodes),
    source: link.linkLocal ?? address,
    destination: allNodes, target: address, linkLayer: mac, router: false, solicited: false,
    override: true,
    hopLimit: 255,
  })];
}

// First steps go before later ones: they end an outage, the others only make sure.
function compareJobs(left: Job, right: Job): number {
  return Math.min(left.step, 1) - Math.min(right.step, 1) || left.due - right.due
    || compareText(left.ip, right.ip) || compareText(left.link, right.link);
}
