import { settingTable } from '../../settingtable.ts';

type Json = Readonly<Record<string, unknown>>;

const flag: Json = { type: 'boolean' };
const text: Json = { type: 'string', minLength: 1 };
const texts: Json = { type: 'array', items: text };

function group(properties: Json): Json {
  return { type: 'object', properties, additionalProperties: false };
}

/** JSON Schema of the chart's values: a name that is not there is a mistake that helm refuses. */
export function valuesSchema(): Json {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    ...group({
      image: text,
      imagePullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
      config: settingsSchema(),
      agent: group({ capabilities: texts, seccompProfile: text, hostPID: flag }),
      controller: group({ replicas: { type: 'integer', minimum: 1 } }),
      bgp: group({ secretsAccess: flag, secrets: texts }),
      monitoring: group({ enabled: flag }),
      strict: group({ enabled: flag }),
      // Helm puts its own there.
      global: { type: 'object' },
    }),
  };
}

/**
 * Settings as nested groups. Names of Cilium's own are let through, as agents let them; only within
 * our groups is an unknown one a mistake. `bgp` has settings that come with the speaker.
 */
function settingsSchema(): Json {
  const groups = new Map<string, Record<string, Json>>();
  for (const { key, schema, about } of settingTable) {
    const path = key.split('.');
    const name = path.pop() ?? key;
    const place = path.join('.');
    const properties = groups.get(place) ?? {};
    groups.set(place, { ...properties, [name]: { ...schema, description: about } });
  }
  const build = (place: string): Json => {
    const below = [...groups.keys()].filter((one) => (
      one !== '' && parentOf(one) === place
    )).map((one): [string, Json] => [one.slice(one.lastIndexOf('.') + 1), build(one)]);
    const open = place === '' || place === 'bgp';
    const properties = { ...groups.get(place), ...Object.fromEntries(below) };
    return { type: 'object', properties, additionalProperties: open };
  };
  return build('');
}

function parentOf(place: string): string {
  return place.includes('.') ? place.slice(0, place.lastIndexOf('.')) : '';
}
