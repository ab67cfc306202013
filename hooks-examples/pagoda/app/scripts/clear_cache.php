<?php // Empties cache/; the stand-in for php does it without reading this.
