/** JSON Schema of one setting's value, as far as our settings need it. */
export interface SettingSchema {
  readonly type: 'boolean' | 'integer' | 'string' | 'array' | 'object';
  readonly enum?: readonly (string | number)[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: SettingSchema;
  readonly additionalProperties?: SettingSchema;
}

/** One setting of interface.md 10: the only place that knows its name, range and default. */
export interface Setting {
  readonly key: string;
  readonly schema: SettingSchema;
  /** Absent: it follows from the machine or from other settings. */
  readonly usual?: boolean | number | string | readonly string[];
  /** `hot`: in force at once; `restart`: by an orderly restart that the process performs itself. */
  readonly reload: 'hot' | 'restart';
  /** The process that reads it; absent: both. */
  readonly of?: 'agent' | 'controller';
  /** Names that Cilium has for it. */
  readonly aliases?: readonly string[];
  readonly about: string;
}

export const fact: SettingSchema = { type: 'boolean' };
export const text: SettingSchema = { type: 'string' };
export const texts: SettingSchema = { type: 'array', items: text };
export const oneOf = (...values: readonly (string | number)[]): SettingSchema => ({
  type: typeof values[0] === 'number' ? 'integer' : 'string', enum: values,
});
export const count = (minimum: number, maximum: number): SettingSchema => ({
  type: 'integer', minimum, maximum,
});
/** Go's spelling; `0` is nought. */
export const duration: SettingSchema = {
  type: 'string', pattern: '^(?:0|(?:[0-9]+(?:\\.[0-9]+)?(?:us|µs|ms|s|m|h))+)$',
};
export const portRange: SettingSchema = { type: 'string', pattern: '^[0-9]{1,5}[-,][0-9]{1,5}$' };
/** Empty is off. */
export const address: SettingSchema = {
  type: 'string', pattern: '^(?:(?:\\[[0-9a-fA-F:.]+\\]|[^:\\[\\]]*):[0-9]{1,5})?$',
};
export const levels = oneOf('debug', 'info', 'warn', 'error');
