/** What of these parsers tests use; they come without types. */
declare module 'm3u8-parser' {
  export interface ParsedSegment {
    readonly duration: number;
    readonly uri: string;
    readonly byterange?: { readonly length: number; readonly offset: number };
    readonly map?: { readonly uri: string; readonly byterange?: { readonly length: number; readonly offset: number } };
  }
  export interface ParsedPlaylist {
    readonly version: number;
    readonly independentSegments?: boolean;
    readonly targetDuration: number;
    readonly endList?: boolean;
    readonly playlistType?: string;
    readonly iFramesOnly?: boolean;
    readonly segments: readonly ParsedSegment[];
    readonly playlists?: readonly { readonly uri: string; readonly attributes: Readonly<Record<string, unknown>> }[];
    readonly iFramePlaylists?: readonly {
      readonly uri: string;
      readonly attributes: Readonly<Record<string, unknown>>;
    }[];
    readonly mediaGroups?: Readonly<
      Record<string, Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>>
    >;
  }
  export class Parser {
    push(text: string): void;
    end(): void;
    readonly manifest: ParsedPlaylist;
  }
}

declare module 'mpd-parser' {
  export interface ParsedRepresentation {
    readonly attributes: Readonly<Record<string, unknown>>;
    readonly segments: readonly {
      readonly duration: number;
      readonly resolvedUri: string;
      readonly presentationTime: number;
      readonly map?: { readonly resolvedUri: string; readonly byterange?: { length: number; offset: number } };
    }[];
    readonly sidx?: { readonly resolvedUri: string; readonly byterange: { length: number; offset: number } };
    readonly resolvedUri?: string;
  }
  export interface ParsedMpd {
    readonly duration: number;
    readonly endList: boolean;
    readonly playlists: readonly ParsedRepresentation[];
    readonly mediaGroups: Readonly<
      Record<
        string,
        Readonly<
          Record<
            string,
            Readonly<
              Record<
                string,
                {
                  readonly default: boolean;
                  readonly language: string;
                  readonly playlists: readonly ParsedRepresentation[];
                }
              >
            >
          >
        >
      >
    >;
  }
  export function parse(text: string, options: { manifestUri: string }): ParsedMpd;
}
