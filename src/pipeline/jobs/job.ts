/** What a job is about. Its id is that of the upload. */
export interface TranscodeData {
  /** Set when nobody wants the film any more; a worker that has the job lets it go. */
  readonly cancelled?: boolean;
}

/** How far a job has come, from 0 to 1 of all of its steps. */
export interface TranscodeProgress {
  readonly step: 'fetch' | 'probe' | 'encode' | 'check' | 'previews' | 'store';
  readonly share: number;
}

/** What the storage says of a published film, in `winner.json`. */
export interface PublishedFilm {
  readonly id: string;
  /** Name of the folder beside it that holds the outputs. */
  readonly attempt: string;
  /** Short sides in pixels, largest first. */
  readonly qualities: readonly number[];
  /** Path below `films/` that an edge plays as HLS. */
  readonly hls: string;
  /** Path below `films/` of a still picture, and of the text track that names the pictures of the timeline. */
  readonly poster: string;
  readonly thumbnails: string;
  /** Seconds, as counted. */
  readonly duration: number;
  /** Frames a second. */
  readonly frameRate: number;
  /** What the file had said and was not so, for the user. */
  readonly remarks: readonly string[];
}

/** States of a job, as operators and uploaders see them. */
export type JobState = 'waiting' | 'running' | 'done' | 'failed';

/** A job as it is listed. */
export interface JobStatus {
  readonly id: string;
  readonly state: JobState;
  readonly progress: TranscodeProgress | undefined;
  /** How often it was begun. */
  readonly attempts: number;
  /** Why the last attempt failed. */
  readonly reason: string | undefined;
  /** Milliseconds since 1970. */
  readonly queued: number;
  readonly film: PublishedFilm | undefined;
}
