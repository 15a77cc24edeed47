/** Names of fields that are told apart. */

/** The names with a number behind those that came before: `a, a, a` becomes `a, a_2, a_3`. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set(names);
  const suffixes = new Map<string, number>();
  return names.map((name) => {
    let suffix = suffixes.get(name) ?? 1;
    let free = name;
    if (suffix > 1 || suffixes.has(name)) {
      while (taken.has(`${name}_${suffix}`)) suffix += 1;
      free = `${name}_${suffix}`;
      taken.add(free);
    }
    suffixes.set(name, suffix + 1);
    return free;
  });
}
