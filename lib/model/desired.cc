#include "convergence/catalog.h"
