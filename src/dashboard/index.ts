/** The dashboard: a local page over run folders, live while they train. */

export { type DashboardSettings, type RunningDashboard, startDashboard } from "./http.ts";
