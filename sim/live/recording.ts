import type { Json } from '../../kube/port.ts';
import type { Micros } from '../../lb/ports.ts';
import type { ApiCall, ClusterSpec, FaultUse } from '../scenario/spec.ts';

/** What came from outside, in the shape of a scenario's action. */
type Deed =
  | { readonly request: ApiCall }
  | { readonly fault: FaultUse }
  | { readonly heal: string; readonly with: Readonly<Record<string, unknown>> | undefined };

/** Deeds kept before a session is no longer recorded: a week of a busy afternoon's work. */
const deedsMax = 200_000;

/** Everything that was done to a live cluster, with its virtual times. */
export class Recording {
  #deeds: { readonly at: Micros; readonly deed: Deed }[] = [];
  #lost = 0;

  add(at: Micros, deed: Deed): void {
    if (this.#deeds.length < deedsMax) this.#deeds.push({ at, deed });
    else this.#lost += 1;
  }

  get count(): number {
    return this.#deeds.length;
  }

  /** Deeds that came after the bound and are not in the scenario. */
  get lost(): number {
    return this.#lost;
  }

  /**
   * The session as a scenario document (simulator.md 7.1) that repeats it up to `end`. Manifests
   * are paths as the file shall name them.
   */
  scenario(session: {
    readonly name: string;
    readonly cluster: ClusterSpec;
    readonly manifests: readonly string[];
    readonly end: Micros;
  }): { readonly [key: string]: Json } {
    const steps = this.#deeds.map(({ at, deed }) => ({ at: timeText(at), ...actionOf(deed) }));
    const { name, cluster, manifests, end } = session;
    return {
      apiVersion: 'sim.fairlead.dev/v1alpha1',
      kind: 'Scenario',
      metadata: { name },
      spec: {
        cluster: clusterOf(cluster),
        ...(manifests.length > 0 && { manifests }),
        steps: [...steps, { at: timeText(end), mark: 'session.end' }],
      },
    };
  }
}

function actionOf(deed: Deed): Readonly<Record<string, Json>> {
  if ('request' in deed) {
    const { method, path, type, user, body } = deed.request;
    return {
      request: {
        method, path, user,
        ...(type !== undefined && { type }),
        ...(body !== undefined && { body }),
      },
    };
  }
  // Parameters were read from YAML.
  if ('heal' in deed) return { heal: deed.heal, ...(deed.with && { with: deed.with as Json }) };
  const { name, with: parameters, for: bound } = deed.fault;
  return {
    fault: name,
    ...(Object.keys(parameters).length > 0 && { with: parameters as Json }),
    ...(bound !== undefined && { for: timeText(bound) }),
  };
}

function clusterOf({ kubernetes, nodes, settings, serviceCidrs, podCidrs }: ClusterSpec): Json {
  return {
    kubernetes,
    nodes: nodes.map(({ name, labels, controlPlane }) => ({
      name,
      ...(Object.keys(labels).length > 0 && { labels }),
      ...(controlPlane && { controlPlane }),
    })),
    // Settings were read from flags or YAML.
    ...(Object.keys(settings).length > 0 && { settings: settings as Json }),
    ...(serviceCidrs !== undefined && { serviceCidrs }),
    ...(podCidrs !== undefined && { podCidrs }),
  };
}

// Scenario files count to the microsecond: `12s345678us`.
function timeText(time: Micros): string {
  const whole = Math.floor(time / 1_000_000);
  const rest = time - whole * 1_000_000;
  return rest === 0 ? `${whole}s` : `${whole}s${rest}us`;
}
