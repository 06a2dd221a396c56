"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.loadKoffi = loadKoffi;
/**
 * Loads koffi, which is an optional dependency. Throws where it is not installed, or
 * has nothing for this platform.
 */
function loadKoffi() {
    return require('koffi'); // Its own types are wider and say `any`.
}
