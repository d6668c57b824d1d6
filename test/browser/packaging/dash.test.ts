/** Shaka Player and dash.js play DASH in Chromium. */
import { testPlayers } from '../../support/streaming/player-tests.js';

testPlayers(['shaka', 'dash.js'], 'dash.mpd');
