// Runs before anything is shown: what needs scripts appears, in the theme chosen last.
document.documentElement.classList.add("js");
try {
  const theme = localStorage.getItem("robench-theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // A page from disk may be kept from remembering.
}
