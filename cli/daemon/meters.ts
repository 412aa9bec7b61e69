import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Sample } from '../../lb/ports.ts';
import { assert } from '../../lb/result.ts';
import type { Metric } from './metriclist.ts';

type Labels = Readonly<Record<string, string>>;

/** Sets one value of a gauge, or of a counter that something else keeps. */
export type Show = (name: string, value: number, labels?: Labels) => void;

const usualPrefix = 'fairlead_';
const quantiles = [50, 90, 99] as const;

/**
 * The metrics of one process. What parts measure arrives as samples; what they know is shown anew
 * at each scrape, so that series of objects that are gone go with them.
 */
export class Meters {
  readonly registry = new Registry();
  #counters = new Map<string, Counter>();
  #histograms = new Map<string, Histogram>();
  #gauges = new Map<string, Gauge>();
  #lag = monitorEventLoopDelay({ resolution: 20 });
  #sources: ((show: Show) => void)[] = [];
  /** Counters that something else keeps, and what is left of the last scrape is not to stay. */
  #kept = new Set<Counter>();
  /** Sampled series that go with an address. */
  #series = new Map<string, {
    readonly name: string; readonly ip: string; readonly labels: Labels;
  }>();

  constructor(metrics: readonly Metric[]) {
    for (const { name, type, labels, help, buckets, prefix = usualPrefix } of metrics) {
      const common = {
        name: `${prefix}${name}`, help, labelNames: [...labels], registers: [this.registry],
      };
      if (type === 'gauge') this.#gauges.set(name, new Gauge(common));
      else if (type === 'counter') this.#counters.set(name, new Counter(common));
      else {
        this.#histograms.set(name, new Histogram({ ...common, buckets: [...(buckets ?? [])] }));
      }
    }
    this.#lag.enable();
  }

  readonly take = ({ name, value, labels }: Sample): void => {
    const { ip } = labels;
    if (ip !== undefined) {
      this.#series.set(`${name} ${Object.values(labels).join(' ')}`, { name, ip, labels });
    }
    const counter = this.#counters.get(name);
    if (counter !== undefined) {
      counter.inc(labels, value);
      return;
    }
    const histogram = this.#histograms.get(name);
    assert(histogram !== undefined, `metric ${name} is one of this process`);
    histogram.observe(labels, value);
  };

  /** Series about addresses that nobody wants any more go. */
  keepOnly(addresses: ReadonlySet<string>): void {
    for (const [key, { name, ip, labels }] of this.#series) {
      if (addresses.has(ip)) continue;
      this.#series.delete(key);
      this.#counters.get(name)?.remove(labels);
    }
  }

  /** What is shown at each scrape, until the next call. */
  showFrom(...sources: ((show: Show) => void)[]): void {
    this.#sources = sources;
  }

  /** The text of a scrape. */
  async text(): Promise<string> {
    for (const gauge of this.#gauges.values()) gauge.reset();
    for (const counter of this.#kept) counter.reset();
    for (const source of this.#sources) source(this.#show);
    for (const quantile of quantiles) {
      // A loop that never lagged has a percentile of its resolution.
      const nanoseconds = Math.max(0, this.#lag.percentile(quantile) - 20e6);
      this.#show('eventloop_lag_seconds', nanoseconds / 1e9, { quantile: `0.${quantile}` });
    }
    this.#lag.reset();
    return this.registry.metrics();
  }

  close(): void {
    this.#lag.disable();
  }

  readonly #show: Show = (name, value, labels = {}) => {
    const gauge = this.#gauges.get(name);
    if (gauge !== undefined) {
      gauge.set(labels, value);
      return;
    }
    const counter = this.#counters.get(name);
    assert(counter !== undefined, `metric ${name} is one of this process`);
    this.#kept.add(counter);
    counter.inc(labels, value);
  };
}
