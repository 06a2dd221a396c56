import { type Browser, chromium } from 'playwright-core';
import { Service } from '../support/service';
