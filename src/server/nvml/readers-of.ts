/** How each reading of a group is taken. */
export type ReadersOf<Readings> = { readonly [Name in keyof Readings]: () => Readings[Name] };
