// How an author, known only by an id, looks: a colour and a name, the same on every page.

/** The look of one author. */
export interface Person {
  /** 0 to 11; the style sheet has a colour for each. */
  readonly hue: number;
  /** For people: "Teal Heron". */
  readonly name: string;
  /** Tells two of the same name apart: four hexadecimal digits. */
  readonly tag: string;
  readonly initials: string;
}

/** The same id gives the same look; different ids nearly always differ at least in the tag. */
export function person(author: string): Person {
  const hash = mix(author);
  const hue = hash % HUES.length;
  const colour = HUES[hue]!;
  const animal = ANIMALS[Math.floor(hash / HUES.length) % ANIMALS.length]!;
  return {
    hue,
    name: `${colour} ${animal}`,
    tag: (hash >>> 16).toString(16).padStart(4, "0"),
    initials: colour.charAt(0) + animal.charAt(0),
  };
}

/** FNV-1a, with its bits stirred once more so that short ids spread as well. */
function mix(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  hash = Math.imul(hash ^ (hash >>> 13), 0x119de1f3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

// In the order of the colours in the style sheet.
const HUES = ["Crimson", "Copper", "Amber", "Olive", "Leaf", "Jade", "Teal", "Sky", "Cobalt", "Violet", "Plum", "Rose"];

const ANIMALS = [
  "Badger", "Bittern", "Dormouse", "Egret", "Finch", "Fox", "Gannet", "Hare", "Hedgehog", "Heron", "Ibis", "Kestrel",
  "Kingfisher", "Lark", "Lynx", "Magpie", "Marten", "Newt", "Osprey", "Otter", "Owl", "Pipit", "Plover", "Puffin",
  "Rook", "Salmon", "Seal", "Shrew", "Siskin", "Sparrow", "Stoat", "Stork", "Swift", "Tern", "Thrush", "Vole",
  "Wagtail", "Weasel", "Wren", "Yak",
];
