//! How the program starts, listens and ends.
