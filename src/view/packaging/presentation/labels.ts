/** Most characters of a label. */
const LABEL_MAX = 100;
/** What could end a quoted string, a line or an element, or is not seen. */
const UNFIT = /["\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu;
const LANGUAGE = /^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,8}$/;
const KINDS = { video: 'Video', audio: 'Audio', text: 'Subtitles' } as const;

let names: Intl.DisplayNames | undefined;

/** What is known of a track when it is to be named for people. */
export interface Labelled {
  readonly kind: keyof typeof KINDS;
  /** What the file calls it; '' when it says nothing. */
  readonly title: string;
  readonly language: string;
  /** Of players' choice: tracks of different groups may have one name, such as one sound in several codecs. */
  readonly group?: string;
}

/** A language as manifests may have it; `und` for what is no tag of BCP 47. */
export function languageTag(language: string): string {
  return LANGUAGE.test(language) ? language : 'und';
}

/**
 * Names for people, no two of a group alike: what the file calls a track, or its language, or its kind.
 * @param titles whether what files call their tracks is shown
 */
export function labelsOf(tracks: readonly Labelled[], titles: boolean): string[] {
  const used = new Set<string>();
  return tracks.map(track => {
    const wanted = (titles && fit(track.title)) || languageName(track.language) || KINDS[track.kind];
    let label = wanted;
    const key = () => `${track.group ?? ''}\n${label}`;
    for (let number = 2; used.has(key()); number++) label = `${wanted} (${number})`;
    used.add(key());
    return label;
  });
}

function fit(title: string): string {
  return title.replace(UNFIT, ' ').trim().slice(0, LABEL_MAX).trim();
}

/** A language's name in English, as players show it; '' when it is not known. */
function languageName(language: string): string {
  const tag = languageTag(language);
  if (tag === 'und') return '';
  names ??= new Intl.DisplayNames('en', { type: 'language' });
  try {
    return fit(names.of(tag) ?? tag);
  } catch {
    return tag;
  }
}
