/** What a dashboard's page runs besides what every page does. */
import { beginScreens } from "../dashboard-screen";

beginScreens();
