import{a}from"./part-ASETBRYB.js";import"./part-7PPAIAPH.js";import"./part-L4JA4WAB.js";export{a as dutchSurveyStrings};
