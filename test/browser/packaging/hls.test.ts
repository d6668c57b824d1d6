/** hls.js and Shaka Player play HLS in Chromium. */
import { testPlayers } from '../../support/streaming/player-tests.js';

testPlayers(['hls.js', 'shaka'], 'hls.m3u8');
