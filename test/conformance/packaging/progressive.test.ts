/** Progressive MP4 as HLS and DASH. */
import { testPackaged } from '../../support/streaming/packaged-tests.js';
import { cases } from '../media/mp4/clips.js';

testPackaged(cases);
